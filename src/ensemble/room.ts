import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdClient } from '../store/index.ts';
import { endpointOf } from './places.ts';
import { ensembleStatus, type EnsembleStatus, type MemberHealth } from './status.ts';

export interface RoomOptions {
  /** Of all members. */
  readonly client: EtcdClient;
  readonly clientOf: (endpoints: readonly string[]) => EtcdClient;
  readonly log: Logger;
}

/** A member that gives room back answers nobody for about a second for each 100 MiB. */
const DEFRAGMENT_MS = 120_000;
const COMPACT_MS = 60_000;
/** So much is written anew before the lease of a state would end. */
const QUICK_BYTES = 128 * 1024 ** 2;

/**
 * Has etcd keep nothing of what was overwritten or removed: neither to be asked for, nor in the files of the members that answer. A
 * member without which there is no majority is let be where that would take longer than leases live. Rejects with `unavailable`.
 */
export async function forgetHistory(
  { client, clientOf, log }: RoomOptions,
  signal: AbortSignal,
): Promise<void> {
  await compact(client, signal);
  const status = await ensembleStatus(client, clientOf, { signal });
  for (const member of followersFirst(status))
    if (status.spare > 0 || (member.answer?.usedBytes ?? 0) < QUICK_BYTES)
      await defragment({ clientOf, log }, member, signal);
}

/** Has etcd forget what no client reads any more; its files keep their size. */
export async function compact(client: EtcdClient, signal: AbortSignal): Promise<void> {
  const { header } = await client.range({ key: Buffer.from('/'), limit: 1n }, { signal });
  const revision = header?.revision ?? 0n;
  await client
    .call({ signal, deadlineMs: COMPACT_MS }, 'once', (wire, call) =>
      wire.kv.compact({ revision, physical: true }, call),
    )
    // It had forgotten as much already.
    .catch((error: unknown) => {
      if (!/has been compacted/.test(messageOf(error))) throw error;
    });
}

/** Has a member write its file anew, with what is in use alone: it answers nobody meanwhile. */
export async function defragment(
  { clientOf, log }: Pick<RoomOptions, 'clientOf' | 'log'>,
  member: MemberHealth,
  signal: AbortSignal,
): Promise<void> {
  const client = clientOf(member.clientUrls.map(endpointOf));
  try {
    await client.call({ signal, deadlineMs: DEFRAGMENT_MS }, 'once', (wire, call) =>
      wire.maintenance.defragment({}, call),
    );
    log.info({ member: member.name }, 'A member of etcd gave room back to its disk');
  } finally {
    client.close();
  }
}

/** Those that answer; the one that leads is silent last. */
export function followersFirst({ members }: EnsembleStatus): MemberHealth[] {
  const there = members.filter(({ answer }) => answer !== undefined);
  return there.sort((a, b) => Number(a.answer?.leads ?? false) - Number(b.answer?.leads ?? false));
}
