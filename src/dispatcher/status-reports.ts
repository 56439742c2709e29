import { isDeepStrictEqual } from 'node:util';
import { Code, ConnectError } from '@connectrpc/connect';
import type { UpdateTaskStatusRequest } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { stateRank, type Task, type TaskStatus } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { statusFromWire, type ReportedStatus } from '../swarmkit/index.ts';

/** Whose word is written down, by whom, and when. */
export interface ReportContext {
  readonly nodeId: string;
  readonly managerId: string;
  readonly wallMs: number;
}

/**
 * Writes down what an agent says of its tasks; resolves when all of it lasts. What is said again changes nothing, a
 * status never goes back, and tasks that are gone are passed over. Throws PermissionDenied when one task is another node's.
 */
export async function applyReports(
  store: Store,
  { updates }: UpdateTaskStatusRequest,
  context: ReportContext,
): Promise<void> {
  const reports = new Map<string, ReportedStatus>();
  for (const { taskId, status: wire } of updates) {
    const task = store.view.get('task', taskId);
    if (!task || !wire) continue;
    if (task.nodeId !== context.nodeId)
      throw new ConnectError('cannot update a task not assigned this node', Code.PermissionDenied);
    const status = statusFromWire(wire);
    const before = reports.get(taskId);
    if (!status || (before && stateRank(before.state) > stateRank(status.state))) continue;
    reports.set(taskId, status);
  }
  const news = [...reports].filter(([id, status]) => isNews(store.view.get('task', id), status, context));
  // One commit takes as many of these as fit, from all agents that report now.
  await store.batch(news, (tx, [id, status]) => {
    const task = tx.get('task', id);
    if (!task || !isNews(task, status, context)) return;
    const { managerId, wallMs } = context;
    tx.update('task', { ...task, status: { ...status, appliedBy: managerId, appliedAtMs: wallMs } });
  });
}

function isNews(task: Task | undefined, status: ReportedStatus, { nodeId }: ReportContext): boolean {
  if (!task || task.nodeId !== nodeId) return false;
  const [from, to] = [stateRank(task.status.state), stateRank(status.state)];
  return to > from || (to === from && !isDeepStrictEqual(reported(task.status), status));
}

function reported({ appliedBy: _by, appliedAtMs: _at, ...status }: TaskStatus): ReportedStatus {
  return status;
}
