import type { Service, Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { RestartHistory } from '../restart/history.ts';
import { byPlace, fillingTasks } from '../slots.ts';
import type { Place } from '../update/replace.ts';

/** How many tasks one look makes, so that a large service leaves room for other things. */
const MOST_AT_ONCE = 1000;

export interface ReplicatedPlan {
  /** The slots that stay and are filled. */
  readonly kept: readonly Place[];
  /** Slots that get a task. */
  readonly create: readonly number[];
  /** Tasks of slots that go, former ones included. */
  readonly remove: readonly Task[];
  /** There is more to make. */
  readonly more: boolean;
}

/** Which slots a replicated service fills, and which it gives up: as many as it has replicas. */
export function planReplicated(
  service: Service,
  replicas: number,
  tasks: readonly Task[],
  view: View,
  history: RestartHistory,
): ReplicatedPlan {
  const slots = byPlace(tasks);
  const filled: Place[] = [];
  const free: Place[] = [];
  for (const [key, there] of slots) {
    const filling = fillingTasks(there, service, view, history);
    if (filling.length > 0) filled.push({ key, tasks: filling });
    else free.push({ key, tasks: there });
  }
  filled.sort((a, b) => Number(a.key) - Number(b.key));
  const kept = filled.length > replicas ? slotsToKeep(filled, replicas) : filled;
  const keptKeys = new Set(kept.map(({ key }) => key));
  const missing = replicas - kept.length;
  const create = freeNumbers(keptKeys, Math.min(missing, MOST_AT_ONCE));
  const used = new Set([...keptKeys, ...create]);
  return {
    kept,
    create,
    remove: [...filled, ...free].flatMap(({ key }) => (used.has(key) ? [] : (slots.get(key) ?? []))),
    more: missing > create.length,
  };
}

/** The smallest numbers from 1 that are not taken. */
function freeNumbers(taken: ReadonlySet<number | string>, count: number): number[] {
  const numbers: number[] = [];
  for (let number = 1; numbers.length < count; number++) if (!taken.has(number)) numbers.push(number);
  return numbers;
}

/**
 * SwarmKit's choice: of slots that run before those that do not, each node keeps its first before any node keeps its
 * second; slots without a node, or with several tasks, go first.
 */
function slotsToKeep(slots: readonly Place[], count: number): Place[] {
  const running = ({ tasks }: Place): boolean => tasks.some(({ status }) => status.state === 'running');
  const sorted = [...slots].sort((a, b) => Number(running(b)) - Number(running(a)));
  const perNode = new Map<string, number>();
  const ranked = sorted.map((slot) => {
    const [task] = slot.tasks;
    if (!task || slot.tasks.length > 1 || task.nodeId === '') return { slot, nth: Infinity };
    const nth = (perNode.get(task.nodeId) ?? 0) + 1;
    perNode.set(task.nodeId, nth);
    return { slot, nth };
  });
  ranked.sort((a, b) => (a.nth === b.nth ? 0 : a.nth - b.nth));
  return ranked.slice(0, count).map(({ slot }) => slot);
}
