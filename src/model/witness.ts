import type { Node } from './node.ts';

/** On the node whose host keeps the state of two managers without being one: a third vote. The leader sees to it. */
export const WITNESS_LABEL = 'skep.witness';

/** Whether a node is shown as the witness. */
export function isWitness({ role, spec }: Node): boolean {
  return role === 'worker' && spec.annotations.labels[WITNESS_LABEL] === 'true';
}

/** What a user of two managers without a witness is to know: Docker's words, and what helps. */
export const TWO_MANAGERS =
  'Running Swarm in a two-manager configuration. This configuration provides no fault tolerance, and poses a high risk to lose control over the cluster: add a third manager, or a worker with swarmd and etcd on its host.';
