import type { Clock } from '../base/clock.ts';
import type { EtcdClient } from '../store/index.ts';
import { listMembers } from './members.ts';
import { endpointOf } from './places.ts';

export interface FollowOptions {
  /** Gets its endpoints from here on. */
  readonly client: EtcdClient;
  /** The member of this host, asked first; none where it has none. */
  readonly own?: string;
  /** Told of the endpoints of all members with a vote, when they have changed; once more after it threw. */
  readonly onKnown?: (endpoints: readonly string[]) => void;
  readonly clock: Clock;
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;

/** Keeps a client's endpoints those of the members, until the signal fires: they come, go and change their addresses. */
export async function followMembers(
  { client, own, onKnown, clock, everyMs = EVERY_MS }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  let known = '';
  while (!signal.aborted) {
    const members = await listMembers(client, { signal }).catch(() => []);
    // A learner answers no question about the state.
    const others = members.filter(({ isLearner }) => !isLearner).flatMap(({ clientUrls }) => clientUrls);
    const endpoints = [...new Set([...(own === undefined ? [] : [own]), ...others.map(endpointOf)])].sort(
      (a, b) => Number(b === own) - Number(a === own),
    );
    if (others.length > 0 && endpoints.join() !== known) {
      client.reach(endpoints);
      try {
        onKnown?.(others.map(endpointOf));
        known = endpoints.join();
      } catch {
        // A disk that is full has room again at some time.
      }
    }
    await clock.pause(everyMs, signal);
  }
}
