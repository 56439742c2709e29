import type { Write } from './commits.ts';
import { serviceKey, type Wait } from './plan.ts';
import { planNetwork } from './plan-network.ts';
import { planNode } from './plan-node.ts';
import { planService } from './plan-service.ts';
import { planTask } from './plan-task.ts';
import type { AllocatedKind, AllocatorState } from './state.ts';

/** What came of planning one row: what to write, and what the log is to know. */
interface Planned {
  readonly writes: readonly Write[];
  readonly why: string;
}

const NONE: Planned = { writes: [], why: '' };

/** Plans one row; where it has to wait, it is woken when what it waits for may be there. */
export function planItem(state: AllocatorState, kind: AllocatedKind, id: string): Planned {
  switch (kind) {
    case 'network':
      return network(state, id);
    case 'service':
      return service(state, id);
    case 'task':
      return task(state, id);
    case 'node':
      return node(state, id);
  }
}

function network(state: AllocatorState, id: string): Planned {
  const row = state.get('network', id);
  if (!row) return NONE;
  const plan = planNetwork(state.book, state.cluster(), row);
  if (plan.kind === 'wait') return wait(state, `network/${id}`, plan);
  if (plan.kind === 'nothing') return NONE;
  return planned({ kind: 'network', id, row, allocated: plan.value });
}

function service(state: AllocatorState, id: string): Planned {
  const row = state.get('service', id);
  if (!row) return NONE;
  const plan = planService(state, state, row);
  if (plan.kind === 'wait') {
    state.settleService(id);
    return wait(state, `service/${id}`, plan);
  }
  if (plan.kind === 'nothing') {
    // It may have waited for a network on which it needs nothing; its tasks have waited for it.
    state.wake(serviceKey(id));
    return NONE;
  }
  return planned({ kind: 'service', id, row, endpoint: plan.value });
}

/** What a task waits for stands in its status; the log need not know. */
function task(state: AllocatorState, id: string): Planned {
  const row = state.get('task', id);
  if (!row) return NONE;
  const plan = planTask(state.book, state, row);
  if (plan.kind === 'wait') {
    state.settleTask(id);
    wait(state, `task/${id}`, plan);
    return row.status.err === plan.why ? NONE : planned({ kind: 'task', id, why: plan.why });
  }
  if (plan.kind === 'nothing') return NONE;
  return planned({ kind: 'task', id, allocation: plan.value });
}

/** The tasks that are held back until their node has an address say so: they are placed, and nothing else would tell. */
function node(state: AllocatorState, id: string): Planned {
  const row = state.get('node', id);
  if (!row) return NONE;
  const { plan, wait: missing } = planNode(state.book, state, row, state.networksOf(id));
  const { why } = missing ? wait(state, `node/${id}`, missing) : NONE;
  const held = why === '' ? [] : state.heldTasks(row).filter(({ status }) => status.err !== why);
  const notes = held.map((task): Write => ({ kind: 'task', id: task.id, why, nodeId: id }));
  return plan.kind === 'write'
    ? { why, writes: [{ kind: 'node', id, row, attachments: plan.value }, ...notes] }
    : { why, writes: notes };
}

function planned(write: Write): Planned {
  return { writes: [write], why: '' };
}

function wait(state: AllocatorState, item: string, { key, why }: Wait): Planned {
  state.waiters.wait(item, key, why);
  return { writes: [], why };
}
