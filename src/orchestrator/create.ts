import type { Service, Task } from '../model/index.ts';
import type { Tx } from '../store/index.ts';
import type { Step } from './apply.ts';
import { mustEndFirst } from './restart/restart.ts';
import { newTask } from './task.ts';
import { isUnfit, type PlaceKey } from './wanted.ts';

/** A task in a free place. It waits for the end of `former`, where one is still to end there. */
export function createStep(service: Service, place: PlaceKey, nowMs: number, former?: Task): Step {
  const change = (tx: Tx): void => {
    const now = tx.get('service', service.id);
    if (now?.specVersion !== service.specVersion) return;
    if (typeof place === 'string' && isUnfit(tx.get('node', place))) return;
    const made = newTask(
      tx.cluster(),
      now,
      typeof place === 'number' ? { slot: place } : { nodeId: place },
      nowMs,
    );
    const old = former && tx.get('task', former.id);
    const held = old && mustEndFirst(tx, old);
    tx.create('task', {
      ...made,
      ...(held ? { desiredState: 'ready', replaces: { taskId: old.id, delayMs: 0 } } : {}),
    });
  };
  return { change, about: { service: service.id } };
}
