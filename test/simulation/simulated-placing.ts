import { Bell } from '../../src/base/bell.ts';
import { hasEnded, stateRank, type Task } from '../../src/model/index.ts';
import type { LoopContext, Tx, View } from '../../src/store/index.ts';

/**
 * Plays the allocator (new -> pending) and the placing (pending -> assigned): on a ready and active node with the fewest
 * tasks, or on the node that the task names when that is ready. Constraints and resources count for nothing here.
 */
export async function runSimulatedPlacing({ store, times }: LoopContext, signal: AbortSignal): Promise<void> {
  const bell = new Bell();
  const open = new Set<string>();
  const isOpen = (task: Task): boolean =>
    stateRank(task.status.state) < stateRank('assigned') &&
    stateRank(task.desiredState) <= stateRank('complete');
  const unwatch = store.watch((events) => {
    for (const { kind, type, object } of events) {
      if (kind === 'node') bell.ring();
      if (kind !== 'task') continue;
      if (type === 'remove' || !isOpen(object)) open.delete(object.id);
      else {
        open.add(object.id);
        bell.ring();
      }
    }
  });
  try {
    for (const task of store.view.all('task')) if (isOpen(task)) open.add(task.id);
    do {
      const load = loadOfNodes(store.view);
      await store.batch([...open], (tx, id) => {
        const task = tx.get('task', id);
        if (task && isOpen(task)) place(tx, task, load, times.wallMs());
      });
    } while (await bell.heard(signal));
  } finally {
    unwatch();
  }
}

/** How many tasks each node that may take one has. */
function loadOfNodes(view: View): Map<string, number> {
  const load = new Map<string, number>();
  for (const { id, status, spec } of view.all('node')) {
    if (status.state !== 'ready' || spec.availability !== 'active') continue;
    const alive = [...view.tasksOfNode(id)].filter(
      (task) => !hasEnded(task.status.state) && stateRank(task.desiredState) <= stateRank('complete'),
    );
    load.set(id, alive.length);
  }
  return load;
}

function place(tx: Tx, task: Task, load: Map<string, number>, nowMs: number): void {
  const nodeId = task.nodeId !== '' ? task.nodeId : leastLoaded(load);
  const ready = nodeId !== undefined && tx.get('node', nodeId)?.status.state === 'ready';
  const state = ready ? 'assigned' : 'pending';
  if (task.status.state === state) return;
  if (ready && load.has(nodeId)) load.set(nodeId, (load.get(nodeId) ?? 0) + 1);
  const message = ready ? 'scheduler assigned task to node' : 'pending task scheduling';
  tx.update('task', {
    ...task,
    nodeId: ready ? nodeId : task.nodeId,
    status: { ...task.status, state, message, timestampMs: nowMs },
  });
}

function leastLoaded(load: ReadonlyMap<string, number>): string | undefined {
  let best: string | undefined;
  let fewest = Infinity;
  for (const [id, tasks] of load) {
    if (tasks >= fewest) continue;
    fewest = tasks;
    best = id;
  }
  return best;
}
