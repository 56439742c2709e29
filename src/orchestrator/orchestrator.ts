import type { Alarms } from '../base/alarms.ts';
import type { Task } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { applySteps, type Step } from './apply.ts';
import { takesGlobal } from './global/plan.ts';
import type { Inbox } from './inbox.ts';
import { reconcileNode, reconcileService, wantStep } from './reconcile.ts';
import type { Holds } from './restart/holds.ts';
import type { RestartHistory } from './restart/history.ts';
import { restartTask, startTask, type RestartContext } from './restart/restart.ts';
import { isUnfit, isWanted } from './wanted.ts';

/** A service whose update is to be looked at, or a task whose time came. */
export type AlarmKey = `service/${string}` | `task/${string}`;

/** One turn after the other: what changed is looked at, and what follows from it is written. */
export class Orchestrator {
  readonly #context: LoopContext;
  readonly #inbox: Inbox;
  readonly #holds: Holds;
  readonly #history: RestartHistory;
  readonly #alarms: Alarms<AlarmKey>;
  readonly #ring: () => void;
  readonly #restarts: RestartContext;

  constructor(
    context: LoopContext,
    inbox: Inbox,
    holds: Holds,
    history: RestartHistory,
    alarms: Alarms<AlarmKey>,
    ring: () => void,
  ) {
    this.#context = context;
    this.#inbox = inbox;
    this.#holds = holds;
    this.#history = history;
    this.#alarms = alarms;
    this.#ring = ring;
    this.#restarts = {
      history,
      nowMs: () => context.times.wallMs(),
      heldMs: (id) => holds.heldMs(id),
      takesGlobal,
    };
  }

  alarm(key: AlarmKey): void {
    const at = key.indexOf('/');
    const id = key.slice(at + 1);
    if (key.startsWith('task/')) this.#holds.wake(id);
    else this.#inbox.lookAtService(id);
    this.#ring();
  }

  /** Throws `unavailable` when nothing can be written. */
  async turn(): Promise<void> {
    const { services, removed, nodes, lost } = this.#inbox.take();
    const steps: Step[] = [...removed].flatMap((id) => this.#removeTasks(id));
    const restart = new Set(lost);
    for (const id of nodes) steps.push(...this.#nodeSteps(id, restart));
    const about = (task: string): Step['about'] => ({ task });
    for (const id of restart)
      steps.push({ about: about(id), change: (tx) => restartTask(tx, id, this.#restarts) });
    for (const id of this.#holds.takeDue())
      steps.push({ about: about(id), change: (tx) => startTask(tx, id, this.#restarts) });
    await applySteps(this.#context, steps);
    await applySteps(
      this.#context,
      [...services].flatMap((id) => this.#serviceSteps(id)),
    );
  }

  #removeTasks(serviceId: string): Step[] {
    const wallMs = this.#context.times.wallMs();
    this.#alarms.clear(`service/${serviceId}`);
    return [...this.#context.store.view.tasksOfService(serviceId)].map((task) =>
      wantStep(task, 'remove', wallMs),
    );
  }

  /** Adds to `restart` the tasks that the node has lost. */
  #nodeSteps(nodeId: string, restart: Set<string>): Step[] {
    const { view } = this.#context.store;
    const node = view.get('node', nodeId);
    const global = new Map<string, Task[]>([...this.#inbox.globals].map((id) => [id, []]));
    const unfit = isUnfit(node);
    for (const task of view.tasksOfNode(nodeId)) {
      const ofGlobal = global.get(task.serviceId);
      if (ofGlobal) ofGlobal.push(task);
      if (!unfit) continue;
      // Nothing will be heard of it any more.
      if (!node || node.status.state === 'down') this.#holds.ended(task.id);
      if (!ofGlobal && isWanted(task) && task.jobIteration === undefined) restart.add(task.id);
    }
    return [...global].flatMap(([id, tasks]) =>
      this.#guarded(id, () => {
        const service = view.get('service', id);
        if (!service) return [];
        const reconciling = { context: this.#context, history: this.#history };
        const { steps, update } = reconcileNode(reconciling, service, nodeId, tasks);
        if (update || this.#inbox.updates.has(id)) this.#lookAgain(id);
        return steps;
      }),
    );
  }

  #serviceSteps(id: string): readonly Step[] {
    return this.#guarded(id, () => {
      const service = this.#context.store.view.get('service', id);
      if (!service) return [];
      const reconciling = { context: this.#context, history: this.#history };
      const plan = reconcileService(reconciling, service, this.#inbox.updates.get(id));
      if (plan.progress) this.#inbox.updates.set(id, plan.progress);
      else this.#inbox.updates.delete(id);
      if (plan.doubled) this.#inbox.doubled.add(id);
      else this.#inbox.doubled.delete(id);
      if (plan.wakeInMs === undefined) this.#alarms.clear(`service/${id}`);
      else this.#alarms.set(`service/${id}`, plan.wakeInMs);
      if (plan.more) this.#lookAgain(id);
      return plan.steps;
    });
  }

  #lookAgain(serviceId: string): void {
    this.#inbox.lookAtService(serviceId);
    this.#ring();
  }

  /** One service that can't be understood is no reason to leave the others alone. */
  #guarded(service: string, plan: () => readonly Step[]): readonly Step[] {
    try {
      return plan();
    } catch (error) {
      this.#context.log.error({ service, err: error }, 'could not decide about a service');
      return [];
    }
  }
}
