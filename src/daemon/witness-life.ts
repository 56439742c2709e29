import type { Logger } from '../base/log.ts';
import type { WorkerNode } from './attendance.ts';
import type { HostAddresses } from './host-addresses.ts';
import type { ManagerPeers, Means } from './manager-peers.ts';
import type { States } from './states.ts';

interface WitnessParts {
  readonly states: States;
  readonly peers: ManagerPeers;
  readonly addresses: HostAddresses;
  readonly means: () => Promise<Means>;
  readonly log: Logger;
}

/** Has this host, which is a node, keep the state for the managers without being one, or no more. Rejects where that fails. */
export async function keepWitness(parts: WitnessParts, node: WorkerNode, wanted: boolean): Promise<void> {
  const { states, peers, addresses } = parts;
  const { nodeId } = node.place;
  if (states.witnessId !== undefined && (!wanted || states.isReleased || states.witnessId !== nodeId))
    await forgetWitness(parts);
  if (!wanted) return;
  const local = await addresses.ofWorker(node);
  // The host may have got another address.
  if (states.witnessId === nodeId) return states.witness(local);
  const means = await parts.means();
  if (means.storeMember === 'never') return;
  const { access } = await peers.become(node, local, means, { witness: true });
  await states.witness(local, access);
}

/** This host keeps nothing for managers elsewhere any more. */
export async function forgetWitness({ states, log }: Pick<WitnessParts, 'states' | 'log'>): Promise<void> {
  const node = states.witnessId;
  await states.forget();
  log.info({ node }, 'This host is no witness any more');
}
