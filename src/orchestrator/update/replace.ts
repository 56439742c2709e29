import { newId } from '../../base/ids.ts';
import { hasEnded, stateRank, type Service, type Task } from '../../model/index.ts';
import type { Tx } from '../../store/index.ts';
import type { Step } from '../apply.ts';
import { mustEndFirst } from '../restart/restart.ts';
import { newTask } from '../task.ts';
import { isUnfit, isWanted, want, type PlaceKey } from '../wanted.ts';

/** A place of a service and the tasks that fill it; never none. */
export interface Place {
  readonly key: PlaceKey;
  readonly tasks: readonly Task[];
}

/**
 * A new task in a place, made in the same commit in which the old ones are told to stop: it waits for their end. With
 * `startFirst` the old one stays for now.
 */
export function replaceStep(
  service: Service,
  { key, tasks }: Place,
  startFirst: boolean,
  nowMs: number,
): { step: Step; newTaskId: string } {
  const id = newId();
  const change = (tx: Tx): void => {
    const now = tx.get('service', service.id);
    if (now?.specVersion !== service.specVersion) return;
    if (typeof key === 'string' && isUnfit(tx.get('node', key))) return;
    const old = tasks.flatMap((task) => tx.get('task', task.id) ?? []).filter(isWanted);
    const running = old.find((task) => mustEndFirst(tx, task));
    const made = newTask(tx.cluster(), now, typeof key === 'number' ? { slot: key } : { nodeId: key }, nowMs);
    tx.create('task', {
      ...made,
      id,
      desiredState: running && !startFirst ? 'ready' : 'running',
      replaces: { taskId: (running ?? old[0] ?? tasks[0])?.id ?? '', delayMs: 0 },
    });
    // Of several, as an update leaves them that another overtook, one is enough to stay.
    const [stays] = startFirst ? [...old].sort((a, b) => worth(b) - worth(a)) : [];
    for (const task of old) if (task !== stays) want(tx, task.id, 'shutdown', nowMs);
  };
  return { step: { change, about: { service: service.id } }, newTaskId: id };
}

/** How much a task is worth keeping beside others in its place: the further it came the more, unless it ended. */
export function worth(task: Task): number {
  return hasEnded(task.status.state) ? -1 : stateRank(task.status.state);
}
