import { backoffMs } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { jsonLines } from '../base/json-lines.ts';
import type { LogLine, LogMarks, LogOptions, LogSelector, LogSubscriber } from '../dispatcher/index.ts';
import type { Manager } from '../manager/index.ts';
import type { DaemonContext } from './daemon-context.ts';
import { NO_MANAGER } from './no-manager.ts';
import { lineFromJson, wishToJson } from './wire-lines.ts';

/** How long a reader waits for the first leader. */
const LEADER_WAIT_MS = 10_000;
const LOOK_MS = 50;
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [50, 2_000];
/** What lasted as long was no failure to begin. */
const STEADY_MS = 5_000;
/** SwarmKit's words where nobody collects logs. */
const ENDED = 'broker is not running';

type Parts = Pick<DaemonContext, 'life' | 'atLeader' | 'times' | 'stopping' | 'log'>;

interface Wish {
  readonly selector: LogSelector;
  readonly options: LogOptions;
}

/**
 * The logs of tasks, for the readers of this manager. What is followed is asked of the manager that leads, and when that is another one
 * asked again, from where each node's lines had come to: it ends with this manager alone.
 */
export function swarmLogs(parts: Parts): LogSubscriber {
  return {
    subscribe(selector, options, signal) {
      if (options.follow) return follow(parts, { selector, options }, signal);
      const { leading } = parts.life.swarm?.manager ?? {};
      if (!leading) throw new SwarmError('no-manager', 'this manager does not lead');
      return leading.logs.subscribe(selector, options, signal);
    },
  };
}

async function* follow(parts: Parts, wish: Wish, signal: AbortSignal): AsyncGenerator<LogLine> {
  const { times, stopping, log } = parts;
  const over = AbortSignal.any([signal, stopping]);
  const beganMs = times.wallMs();
  // Not before there is a swarm: a daemon without one is small.
  const dispatcher = await import('../dispatcher/index.ts');
  const marks = new dispatcher.LogMarks({
    nowMs: () => times.nowMs(),
    fromTheBeginning: wish.options.tail === undefined,
  });
  const firstMs = times.nowMs();
  let isFound = false;
  let { options } = wish;
  for (let failures = 0; !over.aborted; failures += 1) {
    const triedMs = times.nowMs();
    try {
      const found = () => (isFound = true);
      for await (const line of collected(parts, { ...wish, options }, found, over))
        if (marks.take(line)) yield line;
    } catch (error) {
      if (signal.aborted) return;
      const isOver = error instanceof SwarmError && (error.code === 'invalid' || error.code === 'no-manager');
      if (isOver || (!isFound && times.nowMs() - firstMs >= LEADER_WAIT_MS)) throw error;
      log.debug({ err: messageOf(error) }, 'Logs that are followed were cut off');
    }
    if (times.nowMs() - triedMs >= STEADY_MS) failures = 0;
    await times.pause(backoffMs(failures, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random), over);
    if (isFound) {
      marks.again();
      options = goingOn(wish.options, marks, beganMs);
    }
  }
  if (!signal.aborted) throw new SwarmError('unavailable', ENDED);
}

/** Who wanted no old lines wants those that were said meanwhile. */
function goingOn({ tail, ...options }: LogOptions, marks: LogMarks, beganMs: number): LogOptions {
  const goOnFrom = marks.all();
  if (tail === 0) return { ...options, goOnFrom, sinceMs: Math.max(options.sinceMs ?? 0, beganMs) };
  return { ...options, ...(tail === undefined ? {} : { tail }), goOnFrom };
}

/** Lines from whoever leads now, as long as that is so. */
async function* collected(
  parts: Parts,
  { selector, options }: Wish,
  onFound: () => void,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { life, atLeader } = parts;
  await life.settled;
  const { swarm } = life;
  if (!swarm) throw new SwarmError(life.trouble === undefined ? 'no-manager' : 'unavailable', NO_MANAGER);
  const { manager } = swarm;
  await untilLed(parts, manager, signal);
  if (manager.leading) {
    onFound();
    yield* manager.leading.logs.subscribe(selector, options, signal);
    return;
  }
  const elsewhere = new AbortController();
  const { leader } = manager;
  const unlisten = manager.listen(() => {
    if (manager.leader?.id !== leader?.id || manager.leader?.addr !== leader?.addr) elsewhere.abort();
  });
  try {
    const request = { method: 'POST', path: '/swarm/logs', body: wishToJson({ selector, options }) };
    const answer = await atLeader.stream(swarm, request, AbortSignal.any([signal, elsewhere.signal]));
    if (answer.statusCode !== 200) {
      answer.destroy();
      throw new SwarmError('unavailable', `the leader answers ${answer.statusCode}`);
    }
    onFound();
    for await (const line of jsonLines(
      answer,
      () => new SwarmError('unavailable', 'the leader sends no lines'),
    ))
      yield lineFromJson(line);
  } finally {
    unlisten();
    elsewhere.abort();
  }
}

async function untilLed({ times }: Parts, manager: Manager, signal: AbortSignal): Promise<void> {
  const untilMs = times.nowMs() + LEADER_WAIT_MS;
  while (!manager.leading && !manager.leader && !signal.aborted) {
    if (times.nowMs() >= untilMs)
      throw new SwarmError('unavailable', 'the swarm has no leader at the moment');
    await times.pause(LOOK_MS, signal);
  }
}
