import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdClient } from '../store/index.ts';
import { listMembers, promoteMember } from './members.ts';

export interface PromotionOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs?: number;
}

const EVERY_MS = 1_000;
/** Of one member; one that takes longer has its next turn. */
const LIMIT_MS = 5_000;

/**
 * Gives every learner its vote that has started and has what the others have, until the signal fires: for the manager that leads, so
 * that who joins has nothing to ask for, and one whose swarmd was killed on the way gets there all the same.
 */
export async function runPromotion(
  { client, clock, log, everyMs = EVERY_MS }: PromotionOptions,
  signal: AbortSignal,
): Promise<void> {
  const told = new Set<string>();
  while (!signal.aborted) {
    const members = await listMembers(client, { signal }).catch(() => []);
    for (const { id, name } of members.filter((one) => one.isLearner && one.name !== '')) {
      try {
        await promoteMember(client, id, { signal, limitMs: LIMIT_MS });
        told.delete(id);
        log.info({ member: name }, 'A member of etcd has its vote');
      } catch (error) {
        if (signal.aborted) break;
        if (!told.has(id))
          log.warn({ member: name, err: messageOf(error) }, 'A member of etcd has no vote yet');
        told.add(id);
      }
    }
    await clock.pause(everyMs, signal);
  }
}
