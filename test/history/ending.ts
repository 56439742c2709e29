import { setTimeout as sleep } from 'node:timers/promises';
import { engineCall } from '../hosts/engine-api.ts';
import { messageOf } from '../../src/base/errors.ts';
import type { ManagerSwarm } from '../managers/manager-swarm.ts';
import type { End, Kept, Sight } from './check/types.ts';
import { wanted } from './check/wanted.ts';
import type { Recorder } from './recorder.ts';
import type { Raw } from './shapes.ts';

const LOOK_MS = 500;
const TASK_LABEL = 'com.docker.swarm.task.id';

/** What there is once every service has what it asks for and all managers show the same; what there is at the deadline where that never comes. */
export async function ending(
  swarm: ManagerSwarm,
  recorder: Recorder,
  { managers, patienceMs }: { readonly managers: number; readonly patienceMs: number },
): Promise<End> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const before = recorder.sights.length;
    const end = await look(swarm, recorder, managers).catch(messageOf);
    const isOver = performance.now() > untilMs;
    if (typeof end === 'string') {
      if (isOver) throw new Error(`the end was not to be seen: ${end}`);
    } else if (isOver || settled(end)) return end;
    recorder.sights.length = before; // what is looked at so often is no part of the history
    await sleep(LOOK_MS);
  }
}

function settled(end: End): boolean {
  return wanted({ writes: [], sights: [], revisions: [], end }).length === 0;
}

async function look(swarm: ManagerSwarm, recorder: Recorder, managers: number): Promise<End> {
  const from = recorder.sights.length;
  let services: readonly Raw[] = [];
  let tasks: readonly Raw[] = [];
  for (let manager = 0; manager < managers; manager += 1) {
    services = await whole(recorder, manager, 'service');
    await whole(recorder, manager, 'secret');
    tasks = await whole(recorder, manager, 'task');
  }
  const containers = await Promise.all(swarm.hosts.all.map(({ socket }) => tasksOn(socket)));
  return {
    sights: recorder.sights.slice(from),
    services: services.map((service) => keptOf(service, tasks)),
    containers: containers.flat(),
  };
}

async function whole(recorder: Recorder, manager: number, table: Sight['table']): Promise<readonly Raw[]> {
  const raw = await recorder.list(manager, table);
  if (raw === undefined) throw new Error(`manager ${manager} does not list its ${table}s`);
  return raw;
}

function keptOf({ ID, Spec }: Raw, tasks: readonly Raw[]): Kept {
  const env = textOf(Spec.TaskTemplate?.ContainerSpec.Env);
  return {
    id: ID,
    name: Spec.Name ?? '',
    replicas: Spec.Mode?.Replicated.Replicas ?? 0,
    tasks: tasks
      .filter((task) => task.ServiceID === ID && task.DesiredState === 'running')
      .map((task) => ({
        id: task.ID,
        runs: task.Status?.State === 'running',
        isNew: textOf(task.Spec.ContainerSpec?.Env) === env,
      })),
  };
}

function textOf(env: readonly string[] | undefined): string {
  return JSON.stringify(env ?? []);
}

async function tasksOn(socket: string): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [TASK_LABEL], status: ['running'] }));
  const found = await engineCall(socket, 'GET', `/containers/json?filters=${filters}`);
  return (found as readonly { readonly Labels: Readonly<Record<string, string>> }[]).map(
    ({ Labels }) => Labels[TASK_LABEL] ?? '',
  );
}
