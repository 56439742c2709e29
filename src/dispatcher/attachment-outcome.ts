import { Code, ConnectError } from '@connectrpc/connect';
import { Bell } from '../base/bell.ts';
import { attachmentsCover, stateRank, type Task } from '../model/index.ts';
import type { LoopContext, View } from '../store/index.ts';

/**
 * How long an attachment may take to be placed, and what stands in its way may still go. An agent does nothing else while it waits
 * for the answer (agent.go runs such calls in its main loop): it follows no assignments and gives no place back.
 */
const PATIENCE_MS = 500;

/**
 * Waits until an attachment's task can be told to its node, which takes a few commits. Returns nothing then, or an error with the
 * reason where it can't be: no address, a node that takes no tasks. The engine would wait 20 s, and then have no reason to tell.
 * Without a reason it goes on waiting by itself, and so does a container that comes back before its former place is given up.
 */
export async function attachmentOutcome(
  { store, times }: LoopContext,
  { id, nodeId, spec }: Task,
  signal: AbortSignal,
): Promise<ConnectError | undefined> {
  if (hasFormerPlace(store.view, id, nodeId, spec)) return undefined;
  const bell = new Bell();
  const unwatch = store.watch((events) => {
    for (const { kind, object } of events) if (object.id === (kind === 'task' ? id : nodeId)) bell.ring();
  });
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  void times.pause(PATIENCE_MS, until).then(() => over.abort());
  try {
    do if (isGiven(store.view, id)) return undefined;
    while (await bell.heard(until));
    if (signal.aborted) return new ConnectError('the caller is gone', Code.Canceled);
    return obstacle(store.view, id);
  } finally {
    over.abort();
    unwatch();
  }
}

/** Its address may be the one that is wanted, and the agent gives it back when it has its answer. */
function hasFormerPlace(
  view: View,
  id: string,
  nodeId: string,
  { attachment, networks }: Task['spec'],
): boolean {
  for (const { id: other, spec } of view.tasksOfNode(nodeId)) {
    if (other === id || !attachment || spec.attachment?.containerId !== attachment.containerId) continue;
    if (spec.networks[0]?.target === networks[0]?.target) return true;
  }
  return false;
}

function isGiven(view: View, taskId: string): boolean {
  const task = view.get('task', taskId);
  if (!task || stateRank(task.status.state) < stateRank('assigned')) return false;
  const node = view.get('node', task.nodeId);
  return node !== undefined && attachmentsCover(node, task);
}

function obstacle(view: View, taskId: string): ConnectError | undefined {
  const task = view.get('task', taskId);
  if (!task) return new ConnectError(`attachment ${taskId} not found`, Code.NotFound);
  const { err } = task.status;
  return err === '' ? undefined : new ConnectError(err, Code.FailedPrecondition);
}
