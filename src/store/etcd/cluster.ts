import { Compare_CompareTarget as Target } from '../../../proto/generated/etcd/rpc_pb.js';
import { SwarmError } from '../../base/errors.ts';
import type { Asked, EtcdClient } from './client.ts';
import { keysOf, pointerKey } from './keys.ts';
import { LAYOUTS } from '../layouts.ts';
import { layoutValue } from './layout-value.ts';
import { newMark, revisionValue } from './revision-value.ts';

/** Which swarm's state is below a prefix: its id; undefined where there is none. */
export async function findCluster(
  client: EtcdClient,
  prefix: string,
  asked: Asked,
): Promise<string | undefined> {
  const { kvs } = await client.range({ key: pointerKey(prefix) }, asked);
  const id = kvs[0] && Buffer.from(kvs[0].value).toString();
  if (id !== undefined && !isId(id))
    throw new SwarmError('unavailable', `what is at ${prefix} in ${client.where} is no swarm of swarmd's`);
  return id;
}

/**
 * Makes an empty state for a new swarm; again for the same one, nothing. Throws `conflict` when another swarm's is below the
 * prefix: two swarms in one etcd have prefixes of their own.
 */
export async function createCluster(
  client: EtcdClient,
  prefix: string,
  clusterId: string,
  asked: Asked,
  layout: number = LAYOUTS.newest,
): Promise<void> {
  if (!isId(clusterId)) throw new SwarmError('invalid', `'${clusterId}' can't be a swarm's id`);
  const keys = keysOf(prefix, clusterId);
  const put = (key: Uint8Array, value: Uint8Array) =>
    ({ request: { case: 'requestPut', value: { key, value } } }) as const;
  // Whether or not an attempt has arrived, a second one finds out.
  const attempt = () =>
    client.txn(
      {
        compare: [keys.pointer, keys.revision].map((key) => ({
          key,
          target: Target.CREATE, // 0: it is not there
          targetUnion: { case: 'createRevision', value: 0n },
        })),
        success: [
          put(keys.pointer, Buffer.from(clusterId)),
          put(keys.layout, layoutValue(layout)),
          put(keys.revision, revisionValue(0, newMark())),
        ],
      },
      asked,
    );
  const { succeeded } = await attempt().catch(attempt);
  if (succeeded) return;
  const there = await findCluster(client, prefix, asked);
  if (there === clusterId) return;
  throw new SwarmError(
    'conflict',
    there === undefined
      ? `keys of a swarm ${clusterId} are below ${prefix} in ${client.where} already`
      : `${client.where} holds another swarm at ${prefix} (${there}); name another prefix, etcd://…/name, or join that one`,
  );
}

/** Removes a swarm's state, and its pointer; whoever still writes is refused. Nothing happens where it is gone. */
export async function removeCluster(
  client: EtcdClient,
  prefix: string,
  clusterId: string,
  asked: Asked,
): Promise<void> {
  const keys = keysOf(prefix, clusterId);
  const remove = (value: { key: Uint8Array; rangeEnd?: Uint8Array }) =>
    ({ request: { case: 'requestDeleteRange', value } }) as const;
  const attempt = () =>
    client.txn(
      {
        compare: [
          {
            key: keys.pointer,
            target: Target.VALUE,
            targetUnion: { case: 'value', value: Buffer.from(clusterId) },
          },
        ],
        success: [remove({ key: keys.pointer }), remove(keys.all)],
        failure: [remove(keys.all)],
      },
      asked,
    );
  await attempt().catch(attempt);
}

/** SwarmKit's ids are 25 letters and digits. */
function isId(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}
