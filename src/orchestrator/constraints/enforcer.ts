import type { Node, Task } from '../../model/index.ts';
import type { LoopContext, StoreEvent, Tx } from '../../store/index.ts';
import { isSameForPlacing } from '../placing/placing-state.ts';
import type { Turns } from '../turns.ts';
import { isHeld, misfits } from './misfits.ts';

interface Misfit {
  readonly task: Task;
  /** As it was judged. */
  readonly node: Node;
}

/** Looks at the nodes that changed. */
export class Enforcer implements Turns {
  readonly name = 'the constraint enforcer';
  readonly #context: LoopContext;
  #nodes = new Set<string>();

  constructor(context: LoopContext) {
    this.#context = context;
  }

  lookAtEverything(): void {
    for (const { id } of this.#context.store.view.all('node')) this.#nodes.add(id);
  }

  /** True when there is something to look at. */
  see(events: readonly StoreEvent[]): boolean {
    for (const event of events) {
      if (event.kind !== 'node' || event.type !== 'update') continue;
      if (!isSameForPlacing(event.previous, event.object)) this.#nodes.add(event.object.id);
    }
    return this.#nodes.size > 0;
  }

  async turn(): Promise<void> {
    const { store, times, log } = this.#context;
    const nodes = this.#nodes;
    this.#nodes = new Set();
    const found = [...nodes].flatMap((id) => this.#misfits(id));
    if (found.length === 0) return;
    await store.batch(found, (tx, misfit) => reject(tx, misfit, times.wallMs()));
    const named = [...new Set(found.map(({ node }) => node.id))];
    log.info({ nodes: named, tasks: found.length }, 'nodes no longer suit tasks that they have');
  }

  #misfits(nodeId: string): Misfit[] {
    const { view } = this.#context.store;
    const node = view.get('node', nodeId);
    if (!node) return [];
    const tasks = misfits(node, view.tasksOfNode(nodeId), (id) => view.get('service', id));
    return tasks.map((task) => ({ task, node }));
  }
}

/**
 * The state and not the desired state is written, as in SwarmKit: so the orchestrator decides what follows, as it does when
 * an agent rejects a task. The words are SwarmKit's. Where the node has changed again it is looked at again.
 */
function reject(tx: Tx, { task: { id }, node }: Misfit, nowMs: number): void {
  const task = tx.get('task', id);
  const now = tx.get('node', node.id);
  if (!task || !now || !isHeld(task) || !isSameForPlacing(now, node)) return;
  tx.update('task', {
    ...task,
    status: {
      ...task.status,
      state: 'rejected',
      message: 'task rejected by constraint enforcer',
      err: 'assigned node no longer meets constraints',
      timestampMs: nowMs,
      appliedAtMs: nowMs,
    },
  });
}
