import { SwarmError } from '../../base/errors.ts';
import { followEvents, type EngineEvent } from '../../engine/index.ts';
import {
  eventNanos,
  eventTimeText,
  matchesLabels,
  queryFilters,
  readEventTime,
  type Filters,
} from '../../docker-api/index.ts';
import type { Context, Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';

const HISTORY_TIMEOUT_MS = 5_000;
/** A reader that lets this much pile up is cut off. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** An event of the cluster and its time in nanoseconds, for the order. */
interface Told {
  atNano: bigint;
  key: string;
  line: string;
}

/** `GET /events`: those of every engine as they come, each with its node; past ones first, in the order of time. */
export const events: Handler = async (call, context) => {
  const { pool, config, calls } = context;
  const since = readEventTime(call.query.get('since'));
  const until = readEventTime(call.query.get('until'));
  if (since !== undefined && until !== undefined && until < since) {
    const [from, to] = ['since', 'until'].map((name) => call.query.get(name) ?? '');
    throw new SwarmError('invalid', `\`since\` time (${from}) cannot be after \`until\` time (${to})`);
  }
  const matches = eventTest(queryFilters(call.query));
  const { res, signal } = call;
  res.writeHead(200, { 'content-type': 'application/json' });
  res.flushHeaders();

  let early: Told[] | undefined = since !== undefined || until !== undefined ? [] : undefined;
  const send = (told: Told): void => {
    if (res.writableLength > MAX_UNREAD_BYTES) {
      config.log.warn({ path: call.path }, 'A reader of events fell behind and was cut off');
      res.destroy();
    } else res.write(told.line);
  };
  const stop = pool.listen((node, event) => {
    if (!matches(node, event)) return;
    const told = tell(node, event);
    if (until !== undefined && told.atNano > until) return;
    if (early) early.push(told);
    else send(told);
  });
  try {
    if (early) {
      const past = await history(context, matches, since ?? 0n, until);
      const seen = new Set(past.map((told) => told.key));
      const waiting = early.filter((told) => !seen.has(told.key));
      early = undefined;
      for (const told of [...past, ...waiting]) send(told);
    }
    await over(until, AbortSignal.any([signal, calls.stopping]));
  } finally {
    stop();
    res.end();
  }
};

/** Waits until the client is gone, the manager stops, or the time asked for has come. */
async function over(until: bigint | undefined, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const leftMs = until === undefined ? undefined : Math.max(0, Number(until / 1_000_000n) - Date.now());
  await new Promise<void>((resolve) => {
    // Timers overflow beyond 24 days; nobody's connection lasts that long.
    const timer = leftMs === undefined ? undefined : setTimeout(resolve, Math.min(leftMs, 2 ** 31 - 1));
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** What the engines remember between two moments, or until now. One that does not answer in time is left out. */
async function history(
  { pool }: Context,
  matches: (node: EngineNode, event: EngineEvent) => boolean,
  since: bigint,
  until: bigint | undefined,
): Promise<Told[]> {
  const signal = AbortSignal.timeout(HISTORY_TIMEOUT_MS);
  const lists = await Promise.all(
    pool.healthy().map(async (node) => {
      const told: Told[] = [];
      // Its past ends now by its own clock: an earlier end would lose events, a later one would be waited for.
      const now = BigInt(Math.round(Date.now() + node.clockSkewMs)) * 1_000_000n;
      const last = until !== undefined && until < now ? until : now;
      const search = `?since=${eventTimeText(since)}&until=${eventTimeText(last)}`;
      try {
        await followEvents(node.client, node.path(`/events${search}`), {
          signal,
          onEvent: (event) => {
            if (matches(node, event)) told.push(tell(node, event));
          },
        });
      } catch {
        // What it told before it failed is still true.
      }
      return told;
    }),
  );
  return lists.flat().sort((a, b) => (a.atNano < b.atNano ? -1 : a.atNano > b.atNano ? 1 : 0));
}

/** An event with the node it comes from, in standalone Swarm's form. */
function tell(node: EngineNode, event: EngineEvent): Told {
  const place = { Name: node.name, Id: node.id, Addr: node.address.text, Ip: node.ip };
  const attributes = {
    ...event.Actor?.Attributes,
    'node.name': place.Name,
    'node.id': place.Id,
    'node.addr': place.Addr,
    'node.ip': place.Ip,
  };
  const from = event.from === undefined ? {} : { from: `${event.from} node:${node.name}` };
  const whole = { ...event, ...from, Actor: { ...event.Actor, Attributes: attributes }, node: place };
  const line = `${JSON.stringify(whole)}\n`;
  return { atNano: eventNanos(event), key: line, line };
}

/** Docker's filters, and the node's name or id. Keys that nobody knows filter nothing, as at an engine. */
function eventTest(filters: Filters): (node: EngineNode, event: EngineEvent) => boolean {
  const wanted = (key: string): readonly string[] | undefined => {
    const values = filters.get(key);
    return values && values.length > 0 ? values : undefined;
  };
  const things = [
    'container',
    'image',
    'network',
    'volume',
    'daemon',
    'plugin',
    'service',
    'secret',
    'config',
  ].flatMap((type) => {
    const values = wanted(type);
    return values ? [{ type, values }] : [];
  });
  return (node, event) => {
    const action = event.Action ?? event.status ?? '';
    const attributes = event.Actor?.Attributes ?? {};
    if (wanted('type')?.includes(event.Type ?? '') === false) return false;
    if (wanted('event')?.some((word) => action === word || action.startsWith(`${word}:`)) === false)
      return false;
    if (wanted('scope')?.includes(event.scope ?? '') === false) return false;
    if (wanted('node')?.some((word) => word === node.name || word === node.id) === false) return false;
    const labels = wanted('label');
    if (labels && !matchesLabels(attributes, labels)) return false;
    return things.every(({ type, values }) => values.some((value) => isAbout(event, type, value, node)));
  };
}

/** Whether an event is about a thing, by name, `node/name` or the beginning of its id. */
function isAbout(event: EngineEvent, type: string, value: string, node: EngineNode): boolean {
  const attributes = event.Actor?.Attributes ?? {};
  const plain = value.startsWith(`${node.name}/`) ? value.slice(node.name.length + 1) : value;
  const id = event.Actor?.ID ?? event.id ?? '';
  if (type === 'image' && event.Type === 'container') return sameImage(attributes['image'] ?? '', plain);
  if (event.Type === type) {
    const name = attributes['name'] ?? '';
    return id.startsWith(plain) || name === plain || (type === 'image' && sameImage(name || id, plain));
  }
  return (attributes[type] ?? '') !== '' && (attributes[type] ?? '').startsWith(plain);
}

function sameImage(image: string, wanted: string): boolean {
  const bare = (name: string): string => name.replace(/:[^:/]+$/, '');
  return image === wanted || bare(image) === wanted;
}
