import { engineCall } from '../hosts/engine-api.ts';
import { until, type Host } from '../hosts/index.ts';
import type { Swarmd } from './swarmd.ts';

export interface SeenNode {
  readonly id: string;
  readonly state: string;
}

export interface SeenTask {
  readonly id: string;
  /** The name of its service. */
  readonly service: string;
  /** The name of its node's host; empty where that is no node any more. */
  readonly host: string;
  readonly desired: string;
  readonly state: string;
  readonly container: string;
}

/** A task's container, as its engine says. */
export interface SeenContainer {
  readonly id: string;
  readonly task: string;
  readonly service: string;
  readonly host: string;
  readonly running: boolean;
}

interface NodeJson {
  readonly ID: string;
  readonly Description: { readonly Hostname?: string };
  readonly Status: { readonly State: string };
}
interface TaskJson {
  readonly ID: string;
  readonly ServiceID: string;
  readonly NodeID?: string;
  readonly DesiredState: string;
  readonly Status: {
    readonly State: string;
    readonly ContainerStatus?: { readonly ContainerID?: string };
  };
}
interface ServiceJson {
  readonly ID: string;
  readonly Spec: { readonly Name: string };
}
interface ContainerJson {
  readonly Id: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
}

/** Nodes by the name of their host. */
export async function nodesOf({ socket }: Swarmd): Promise<Map<string, SeenNode>> {
  const nodes = (await engineCall(socket, 'GET', '/nodes')) as readonly NodeJson[];
  return new Map(
    nodes.map(({ ID, Description, Status }) => [Description.Hostname ?? '', { id: ID, state: Status.State }]),
  );
}

export async function nodeIs(swarmd: Swarmd, { name }: Host, state: string): Promise<void> {
  await until(`${name} is ${state}`, 30_000, async () => {
    return (await nodesOf(swarmd)).get(name)?.state === state || undefined;
  });
}

export async function tasksOf(swarmd: Swarmd): Promise<SeenTask[]> {
  const get = (path: string): Promise<unknown> => engineCall(swarmd.socket, 'GET', path);
  const services = (await get('/services')) as readonly ServiceJson[];
  const names = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name]));
  const hosts = new Map([...(await nodesOf(swarmd))].map(([host, { id }]) => [id, host]));
  return ((await get('/tasks')) as readonly TaskJson[]).map((task) => ({
    id: task.ID,
    service: names.get(task.ServiceID) ?? '',
    host: hosts.get(task.NodeID ?? '') ?? '',
    desired: task.DesiredState,
    state: task.Status.State,
    container: task.Status.ContainerStatus?.ContainerID ?? '',
  }));
}

/** The containers of tasks on an engine, also those that have ended. */
export async function containersOn({ name, socket }: Host): Promise<SeenContainer[]> {
  const filters = encodeURIComponent('{"label":["com.docker.swarm.task.id"]}');
  const found = await engineCall(socket, 'GET', `/containers/json?all=1&filters=${filters}`);
  return (found as readonly ContainerJson[]).map(({ Id, State, Labels }) => ({
    id: Id,
    task: Labels['com.docker.swarm.task.id'] ?? '',
    service: Labels['com.docker.swarm.service.name'] ?? '',
    host: name,
    running: State === 'running',
  }));
}

/**
 * Waits until the services have so many tasks that are to run, all of them run, and what runs on these engines is just
 * that: nothing stale, nothing twice. Gives the containers that run.
 */
export async function settled(
  swarmd: Swarmd,
  hosts: readonly Host[],
  wanted: Readonly<Record<string, number>>,
  timeoutMs = 40_000,
): Promise<SeenContainer[]> {
  let last = '';
  try {
    return await until('the services have settled', timeoutMs, async () => {
      const [tasks, lists] = [await tasksOf(swarmd), await Promise.all(hosts.map(containersOn))];
      const containers = lists.flat();
      last = differences(tasks, containers, wanted).join('\n');
      return last === '' ? containers.filter(({ running }) => running) : undefined;
    });
  } catch (error) {
    throw new Error(`${String(error)}\n${last}`, { cause: error });
  }
}

/** Why this is not what is wanted, a line each. */
export function differences(
  tasks: readonly SeenTask[],
  containers: readonly SeenContainer[],
  wanted: Readonly<Record<string, number>>,
): string[] {
  const toRun = tasks.filter(({ desired }) => desired === 'running' || desired === 'ready');
  const counts: Record<string, number> = {};
  for (const { service } of toRun) counts[service] = (counts[service] ?? 0) + 1;
  const wrong = [...new Set([...Object.keys(wanted), ...Object.keys(counts)])]
    .filter((name) => (wanted[name] ?? 0) !== (counts[name] ?? 0))
    .map((name) => `${name}: ${counts[name] ?? 0} tasks of ${wanted[name] ?? 0}`);
  const byId = new Map(toRun.map((task) => [task.id, task]));
  const seen = new Set<string>();
  for (const { id, task, service, host, running } of containers) {
    if (seen.has(task)) wrong.push(`task ${task} has two containers`);
    seen.add(task);
    const place = byId.get(task);
    if (running && (place?.container !== id || place.host !== host))
      wrong.push(`${service}: container ${id} of task ${task} runs on ${host}`);
  }
  const runs = new Set(containers.filter(({ running }) => running).map(({ task }) => task));
  for (const { id, service, host, state } of toRun)
    if (state !== 'running' || !runs.has(id))
      wrong.push(`${service}: task ${id} on ${host} is ${state}, container ${runs.has(id)}`);
  return wrong;
}

/** Ids in order, to compare. */
export function idsOf(containers: readonly SeenContainer[], ...hosts: readonly Host[]): string[] {
  const names = hosts.map(({ name }) => name);
  return containers
    .filter(({ host }) => names.length === 0 || names.includes(host))
    .map(({ id }) => id)
    .sort();
}
