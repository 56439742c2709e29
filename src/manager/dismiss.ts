import { SwarmError } from '../base/errors.ts';
import { managersAmong, type Node } from '../model/index.ts';
import type { Tx } from '../store/index.ts';

/** Makes a manager's row a worker's; nothing where it is one. Throws `conflict` for the last manager. */
export function dismiss(tx: Tx, nodeId: string): void {
  const node = tx.get('node', nodeId);
  if (node?.role !== 'manager') return;
  if (managersAmong(tx.all('node')) <= 1)
    throw new SwarmError('conflict', 'the last manager of a swarm stays one');
  const worker: Node = { ...node, role: 'worker', spec: { ...node.spec, role: 'worker' } };
  delete (worker as { managerAddr?: string }).managerAddr;
  tx.update('node', worker);
}
