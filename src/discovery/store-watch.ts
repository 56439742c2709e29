import { backoffMs, pause } from '../base/async.ts';
import { messageOf } from '../base/errors.ts';
import { BrokenOffError } from './follow.ts';
import { HeldList, type Listing } from './held-list.ts';
import type { DiscoveryEvent } from './types.ts';

/** How long what a store lost stays listed: the time to live that `join` gives its registrations. */
const GRACE_MS = 180_000;
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [250, 5_000];

export interface StoreWatchOptions {
  /**
   * The store's lists: at once, at every change (many changes in a moment are one), until the signal fires. Throws when
   * the store cannot be followed, also when it falls silent; it is then called again.
   */
  follow: (signal: AbortSignal) => AsyncIterable<Listing>;
  signal: AbortSignal;
  /** How long what is missing after a break stays listed. */
  graceMs?: number;
}

/** A `Discovery.watch` over a store: goes on through every break, and never takes a running pool away. */
export async function* watchStore(options: StoreWatchOptions): AsyncGenerator<DiscoveryEvent> {
  const { follow, signal, graceMs = GRACE_MS } = options;
  const list = new HeldList(graceMs);
  let failures = 0;
  while (!signal.aborted) {
    const turn = new AbortController();
    const both = AbortSignal.any([signal, turn.signal]);
    const begunMs = performance.now();
    let [listed, lasted] = [false, false];
    try {
      for await (const listing of orTime(follow(both), () => list.heldUntil)) {
        if (signal.aborted) return;
        const now = performance.now();
        listed ||= listing !== undefined;
        yield* listing === undefined ? list.tick(now) : list.listed(listing, now);
      }
    } catch (error) {
      if (signal.aborted) return;
      lasted = listed && performance.now() - begunMs > LAST_RETRY_MS;
      // What is between us and the store may end a connection that has long been quiet. If that is all, nobody needs to
      // hear of it; if not, the next try tells.
      const mayBeNothing = lasted && error instanceof BrokenOffError;
      yield* list.broken(mayBeNothing ? undefined : messageOf(error));
    } finally {
      turn.abort();
    }
    // A store that lists, and then breaks off at once, is tried as seldom as one that is down.
    if (lasted) failures = 0;
    await pause(backoffMs(failures++, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random), signal);
  }
}

/** The items of `source`, and undefined whenever the clock passes what `due` says. */
async function* orTime<T>(
  source: AsyncIterable<T>,
  due: () => number | undefined,
): AsyncGenerator<T | undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  for (;;) {
    const at = due();
    const timer = new AbortController();
    const waits = at === undefined ? [] : [pause(Math.max(1, at - performance.now()), timer.signal)];
    const item = await Promise.race([next, ...waits]).finally(() => timer.abort());
    if (item === undefined) {
      yield undefined;
      continue;
    }
    if (item.done) return;
    next = iterator.next();
    next.catch(() => undefined); // looked at in the next round
    yield item.value;
  }
}
