import { AlarmRequest_AlarmAction as Action, AlarmType } from '../../proto/generated/etcd/rpc_pb.js';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdClient } from '../store/index.ts';
import { QUOTA_BYTES } from './etcd-args.ts';
import { compact, defragment, followersFirst } from './room.ts';
import { ensembleStatus, type EnsembleStatus, type MemberHealth } from './status.ts';

export interface CareOptions {
  /** Of all members. */
  readonly client: EtcdClient;
  readonly clientOf: (endpoints: readonly string[]) => EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs?: number;
  /** So much has to come free on a disk for its member to be silent for a while. */
  readonly worthBytes?: number;
}

const EVERY_MS = 60_000;
const WORTH_BYTES = 128 * 1024 ** 2;
/** Below this part of its quota, a database may be written again. */
const ROOMY_PART = 0.9;

/**
 * Looks after the swarm's own etcd until the signal fires; one manager at a time does so, the leader. What is older than some minutes
 * etcd forgets by itself. Room that this frees goes back to the disk, one member at a time and only while another may be missing;
 * an etcd that is full is emptied of what nobody reads any more, and written again. Never for an etcd of the user's.
 */
export async function runCare(options: CareOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, everyMs = EVERY_MS } = options;
  let told = '';
  while (!signal.aborted) {
    try {
      await lookAfter(options, signal);
      told = '';
    } catch (error) {
      const trouble = messageOf(error);
      if (!signal.aborted && trouble !== told) log.warn({ err: trouble }, 'etcd could not be looked after');
      told = trouble;
    }
    await clock.pause(everyMs, signal);
  }
}

async function lookAfter(options: CareOptions, signal: AbortSignal): Promise<void> {
  const { log, worthBytes = WORTH_BYTES } = options;
  const status = await ensembleStatus(options.client, options.clientOf, { signal });
  const alarms = new Set(status.members.flatMap(({ answer }) => answer?.alarms ?? []));
  for (const { name, answer } of status.members)
    if (answer?.alarms.includes('CORRUPT') === true)
      log.error({ member: name }, 'etcd has found a member whose data is another than that of the others');
  if (alarms.has('NOSPACE')) return makeRoom(options, status, signal);
  // Silent, it must not be the one that a majority lacks; alone, there is no other way.
  if (status.spare < 1 && status.members.length > 1) return;
  const [worst] = followersFirst(status).filter(({ answer }) => wasted(answer) >= worthBytes);
  if (worst) await defragment(options, worst, signal);
}

/** Room on the disk that nothing uses; none to speak of where most of it is in use. */
function wasted(answer: MemberHealth['answer']): number {
  if (!answer || answer.usedBytes * 2 > answer.dbBytes) return 0;
  return answer.dbBytes - answer.usedBytes;
}

/** etcd is full, and takes no writes: it is emptied of history, and told that it is not full any more. */
async function makeRoom(options: CareOptions, status: EnsembleStatus, signal: AbortSignal): Promise<void> {
  const { client, clientOf, log } = options;
  log.error('etcd is full, and nothing can be written; it is emptied of what is not needed');
  await compact(client, signal);
  for (const member of followersFirst(status)) await defragment(options, member, signal);
  const now = await ensembleStatus(client, clientOf, { signal });
  if (!now.members.every(({ answer }) => !answer || answer.dbBytes < QUOTA_BYTES * ROOMY_PART)) {
    log.error('etcd is full of what is needed: remove services, tasks or secrets, or move to larger disks');
    return;
  }
  const { alarms } = await client.call({ signal }, 'again', (wire, call) =>
    wire.maintenance.alarm({ action: Action.GET }, call),
  );
  for (const { memberID, alarm } of alarms)
    if (alarm === AlarmType.NOSPACE)
      await client.call({ signal }, 'again', (wire, call) =>
        wire.maintenance.alarm({ action: Action.DEACTIVATE, memberID, alarm }, call),
      );
  log.warn('etcd has room again');
}
