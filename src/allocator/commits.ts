import { isDeepStrictEqual } from 'node:util';
import type { Endpoint, Network, NetworkAttachment, Node, Service } from '../model/index.ts';
import type { Tx } from '../store/index.ts';
import { isHeldBack } from './plan-node.ts';
import { isNew, type TaskAllocation } from './plan-task.ts';

/** What was planned for one row, and what of it must still be so when it is written. */
export type Write =
  | {
      readonly kind: 'network';
      readonly id: string;
      readonly row: Network;
      readonly allocated: NonNullable<Network['allocated']>;
    }
  | { readonly kind: 'service'; readonly id: string; readonly row: Service; readonly endpoint: Endpoint }
  | { readonly kind: 'task'; readonly id: string; readonly allocation: TaskAllocation }
  /** A task that waits, and what its user is to know; on a node where it is placed already, and held back for that node's sake. */
  | { readonly kind: 'task'; readonly id: string; readonly why: string; readonly nodeId?: string }
  | {
      readonly kind: 'node';
      readonly id: string;
      readonly row: Node;
      readonly attachments: readonly NetworkAttachment[];
    };

/** As SwarmKit words it; `docker service ps` shows it. */
const ALLOCATED_MESSAGE = 'pending task scheduling';

type Commit = (tx: Tx, nowMs: number) => void;

/** Writes what was planned, unless it has become wrong meanwhile: then nothing. */
export function commitOf(write: Write): Commit {
  switch (write.kind) {
    case 'network':
      return (tx) => {
        const network = tx.get('network', write.id);
        if (!network || network.allocated || !isDeepStrictEqual(network.spec, write.row.spec)) return;
        tx.update('network', { ...network, allocated: write.allocated });
      };
    case 'service':
      return (tx) => {
        const service = tx.get('service', write.id);
        if (service?.spec !== write.row.spec || service.endpoint !== write.row.endpoint) return;
        if (!areThere(tx, write.endpoint.virtualIps)) return;
        tx.update('service', { ...service, endpoint: write.endpoint });
      };
    case 'task':
      return 'why' in write
        ? (tx) => noteWait(tx, write)
        : (tx, nowMs) => commitTask(tx, write.id, write.allocation, nowMs);
    case 'node':
      return (tx) => {
        const node = tx.get('node', write.id);
        if (node?.attachments !== write.row.attachments) return;
        tx.update('node', { ...node, attachments: write.attachments });
      };
  }
}

function commitTask(
  tx: Tx,
  id: string,
  { networks, endpoint, engineServiceId, service }: TaskAllocation,
  nowMs: number,
): void {
  const task = tx.get('task', id);
  if (!task || !isNew(task) || !areThere(tx, networks)) return;
  if (service && tx.get('service', service.id)?.endpoint !== service.endpoint) return;
  const status = {
    ...task.status,
    state: 'pending',
    message: ALLOCATED_MESSAGE,
    err: '',
    timestampMs: nowMs,
  } as const;
  const told = { ...(endpoint ? { endpoint } : {}), ...(engineServiceId ? { engineServiceId } : {}) };
  tx.update('task', { ...task, networks, ...told, status });
}

function noteWait(
  tx: Tx,
  { id, why, nodeId }: { readonly id: string; readonly why: string; readonly nodeId?: string },
): void {
  const task = tx.get('task', id);
  if (!task || task.status.err === why) return;
  const node = nodeId === undefined ? undefined : tx.get('node', nodeId);
  if (nodeId === undefined ? isNew(task) : node && isHeldBack(node, task))
    tx.update('task', { ...task, status: { ...task.status, err: why } });
}

function areThere(tx: Tx, places: readonly { readonly networkId: string }[]): boolean {
  return places.every(({ networkId }) => tx.get('network', networkId) !== undefined);
}
