import { pause } from '../../base/async.ts';
import type { Listing } from '../held-list.ts';
import type { Blocking, CallOptions, ConsulApi, ConsulKey, Indexed } from './api.ts';

/** Many changes in a moment are one: every answer has the whole list. */
const SETTLE_MS = 100;
/** How many of the sessions that were seen last are asked after. */
const WITNESSES = 3;

/**
 * The answers of blocking queries, one for each change. `ask` is called with the index to wait after; an index that
 * does not grow is begun anew, as Consul's documentation of blocking queries has it.
 */
export async function* blockingQueries<T>(
  ask: (blocking: Blocking) => Promise<Indexed<T>>,
  waitMs: number,
  signal: AbortSignal,
): AsyncGenerator<{ value: T; wentBack: boolean }> {
  let index = 0;
  let first = true;
  while (!signal.aborted) {
    const answer = await ask({ index, waitMs });
    const changed = first || answer.index !== index;
    const wentBack = answer.index < index;
    index = wentBack ? 0 : Math.max(1, answer.index);
    first = false;
    if (changed) yield { value: answer.value, wentBack };
    await pause(SETTLE_MS, signal);
  }
}

/** The registrations at once and at every change; looks at the server every `everyMs` at least. */
export async function* followKeys(
  api: ConsulApi,
  folder: string,
  everyMs: number,
  signal: AbortSignal,
): AsyncGenerator<Listing> {
  const options: CallOptions = { signal };
  let witnesses: string[] = [];
  const ask = (blocking: Blocking): ReturnType<ConsulApi['list']> =>
    api.list(folder, { ...options, blocking });
  for await (const { value: keys, wentBack } of blockingQueries(ask, everyMs, signal)) {
    const sessions = keys.flatMap(({ session }) => (session === '' ? [] : [session]));
    const removed =
      sessions.length === 0 &&
      witnesses.length > 0 &&
      (wentBack || (await anyLives(api, witnesses, options)));
    yield { registrations: toRegistrations(keys), removed };
    if (sessions.length > 0) witnesses = sessions.slice(-WITNESSES);
  }
}

/** Every key has its value; one that is empty (the original's, a moment before it is written) its name. */
export function toRegistrations(keys: readonly ConsulKey[]): Listing['registrations'] {
  return keys.flatMap(({ key, value }) => {
    const name = key.slice(key.lastIndexOf('/') + 1);
    return name === '' ? [] : [{ key, value: value === '' ? name : value }];
  });
}

/** A key goes with its session. Where the session lives on without it, somebody removed the key. */
async function anyLives(api: ConsulApi, sessions: readonly string[], options: CallOptions): Promise<boolean> {
  for (const session of sessions) if (await api.sessionLives(session, options)) return true;
  return false;
}
