import { pause, backoffMs } from '../base/async.ts';
import { SwarmError } from '../base/errors.ts';
import { eventTest } from '../control/index.ts';
import { eventNanos, eventTimeText, queryFilters, readEventTime } from '../docker-api/index.ts';
import { followEvents } from '../engine/index.ts';
import type { DaemonContext, ManagerHandler } from './daemon-context.ts';

const HISTORY_MS = 5_000;
/** A reader that lets this much pile up is cut off. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
const LAST_RETRY_MS = 10_000;

/** An event and its time in nanoseconds, for the order. */
interface Told {
  readonly atNano: bigint;
  readonly line: string;
}

/** `GET /events`: the engine's and the swarm's, past ones first, in the order of time. */
export const events: ManagerHandler = async (call, context) => {
  const since = readEventTime(call.query.get('since'));
  const until = readEventTime(call.query.get('until'));
  if (since !== undefined && until !== undefined && until < since) {
    const [from, to] = ['since', 'until'].map((name) => call.query.get(name) ?? '');
    throw new SwarmError('invalid', `\`since\` time (${from}) cannot be after \`until\` time (${to})`);
  }
  const matches = eventTest(queryFilters(call.query));
  const { res } = call;
  let early: Told[] | undefined = [];
  const tell = (event: object): void => {
    const told = toldOf(event);
    if (until !== undefined && told.atNano > until) return;
    if (early) early.push(told);
    else if (res.writableLength > MAX_UNREAD_BYTES) res.destroy();
    else res.write(told.line);
  };
  const stop = context.events.listen((event) => {
    if (matches(event)) tell(event);
  });
  try {
    res.writeHead(200, { 'content-type': 'application/json' });
    res.flushHeaders();
    const signal = AbortSignal.any([call.signal, context.stopping, ...deadlineOf(until, context)]);
    const filters = call.query.get('filters');
    const following = followEngine(context, filters, tell, signal);
    const asked = since !== undefined || until !== undefined;
    const past = asked ? await history(context, filters, { since: since ?? 0n, until }) : [];
    if (asked) for (const event of context.events.last) if (matches(event)) past.push(toldOf(event));
    const whole = new Map(
      [...past.filter(isBetween(since, until)), ...early].map((told) => [told.line, told]),
    );
    early = undefined;
    for (const { line } of [...whole.values()].sort(byTime)) res.write(line);
    await following;
  } finally {
    stop();
    res.end();
  }
};

/** The engine's events from now on, also over its restarts. Resolves when the signal fires. */
async function followEngine(
  { engine }: DaemonContext,
  filters: string | null,
  tell: (event: object) => void,
  signal: AbortSignal,
): Promise<void> {
  const search = filters === null ? '' : `?filters=${encodeURIComponent(filters)}`;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const onOpen = (): void => void (attempt = 0);
      await followEvents(engine.client, `/events${search}`, { signal, onOpen, onEvent: tell });
    } catch {
      // An engine that is down has no events; the swarm's go on.
    }
    await pause(backoffMs(attempt, 250, LAST_RETRY_MS, Math.random), signal);
  }
}

/** What the engine remembers, up to now. */
async function history(
  { engine, times }: DaemonContext,
  filters: string | null,
  { since, until }: { since: bigint; until: bigint | undefined },
): Promise<Told[]> {
  const now = BigInt(Math.trunc(times.wallMs())) * 1_000_000n;
  const query = new URLSearchParams({
    since: eventTimeText(since),
    until: eventTimeText(until !== undefined && until < now ? until : now),
    ...(filters === null ? {} : { filters }),
  });
  const told: Told[] = [];
  try {
    await followEvents(engine.client, `/events?${query.toString()}`, {
      signal: AbortSignal.timeout(HISTORY_MS),
      onEvent: (event) => told.push(toldOf(event)),
    });
  } catch {
    // What it told before it failed is still true.
  }
  return told;
}

function deadlineOf(until: bigint | undefined, { times }: DaemonContext): AbortSignal[] {
  if (until === undefined) return [];
  const leftMs = Math.max(0, Number(until / 1_000_000n) - times.wallMs());
  // Timers overflow beyond 24 days; nobody's connection lasts that long.
  return [AbortSignal.timeout(Math.min(Math.ceil(leftMs), 2 ** 31 - 1))];
}

function isBetween(since = 0n, until: bigint | undefined): (told: Told) => boolean {
  return ({ atNano }) => atNano >= since && (until === undefined || atNano <= until);
}

function byTime(one: Told, other: Told): number {
  return one.atNano < other.atNano ? -1 : one.atNano > other.atNano ? 1 : 0;
}

function toldOf(event: object): Told {
  return { atNano: eventNanos(event), line: `${JSON.stringify(event)}\n` };
}
