import type { Task } from '../../model/index.ts';
import { DirtyCheck, satisfies } from '../../orchestrator/index.ts';
import type { View } from '../../store/index.ts';

/** Tells which tasks are as their services want them now, which clients that show progress ask for. */
export function upToDateTest(view: View): (task: Task) => boolean {
  const checks = new Map<string, DirtyCheck | undefined>();
  return (task) => {
    const { serviceId } = task;
    if (!checks.has(serviceId)) {
      const service = view.get('service', serviceId);
      checks.set(serviceId, service && new DirtyCheck(service, view, satisfies));
    }
    const check = checks.get(serviceId);
    return check !== undefined && !check.isDirty(task);
  };
}
