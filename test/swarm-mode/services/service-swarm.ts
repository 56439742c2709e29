import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startHosts, until, type EngineVersion, type Host, type Hosts } from '../../hosts/index.ts';
import { Swarmd } from '../swarmd.ts';

/** One line of `docker service ps`. */
export interface TaskRow {
  readonly ID: string;
  readonly Name: string;
  readonly Image: string;
  readonly Node: string;
  readonly DesiredState: string;
  /** Begins with the state: "Running 3 seconds ago". */
  readonly CurrentState: string;
  /** In double quotes; empty where there is none. */
  readonly Error: string;
  readonly Ports: string;
}

/** What is read of a container on its engine. */
export interface TaskContainer {
  readonly Config: {
    readonly Hostname: string;
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
    readonly StopSignal: string;
  };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly State: { readonly StartedAt: string; readonly FinishedAt: string };
}

const POLL_MS = 250;
const PATIENCE_MS = 40_000;

/** `until` for questions that take a process each: they leave the machine time for what they wait for. */
export function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  return until(what, timeoutMs, async () => {
    const value = await ask();
    if (value === undefined) await sleep(POLL_MS);
    return value;
  });
}

export interface ServiceSwarmOptions {
  /** One a host; 20.10 twice and one of today if nothing is said. */
  readonly engines?: readonly EngineVersion[];
  /** How many of the first hosts run swarmd: the manager, which is the first, and workers; 1 if nothing is said. */
  readonly swarmds?: number;
  readonly swarmdArgs?: readonly string[];
  /** Archives with images that every host has beside the usual ones. */
  readonly archives?: readonly string[];
}

/** A swarm of a manager's host and workers, as a rule two plain engines, the second of them of today. */
export class ServiceSwarm implements AsyncDisposable {
  readonly hosts: Hosts;
  /** The manager's. */
  readonly swarmd: Swarmd;
  /** The manager's and those of workers, by their hosts. */
  readonly swarmds: readonly Swarmd[];

  protected constructor(hosts: Hosts, options: ServiceSwarmOptions) {
    const args = options.swarmdArgs ?? [];
    this.hosts = hosts;
    this.swarmds = hosts.all.slice(0, options.swarmds ?? 1).map((host) => new Swarmd(host, { args }));
    const [swarmd] = this.swarmds;
    if (!swarmd) throw new Error('a swarm needs a manager');
    this.swarmd = swarmd;
  }

  static async start(options: ServiceSwarmOptions = {}): Promise<ServiceSwarm> {
    const hosts = await startServiceHosts(options);
    return new ServiceSwarm(hosts, options).joined(options);
  }

  /** Starts what runs swarmd, and makes a swarm of all; leaves nothing where that fails. */
  protected async joined({ archives = [] }: ServiceSwarmOptions): Promise<this> {
    try {
      const load = async (host: Host): Promise<void> => {
        for (const archive of archives) await host.loadImages(archive);
      };
      await Promise.all([...this.swarmds.map((one) => one.start()), ...this.hosts.all.map(load)]);
      const [manager, ...workers] = this.hosts.all;
      await this.docker('swarm', 'init', '--advertise-addr', manager?.ip ?? '');
      for (const worker of workers) await this.join(worker);
      await eventually('all nodes are ready', async () => {
        const states = await this.docker('node', 'ls', '--format', '{{.Status}}');
        return states === this.hosts.all.map(() => 'Ready').join('\n') || undefined;
      });
    } catch (error) {
      const log = this.swarmd.log.slice(-3_000);
      await this[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${log}`, { cause: error });
    }
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.swarmds.map((one) => one.kill()));
    await this.hosts.close();
  }

  /** Lets a host join as a worker: by its swarmd where it has one, else by its engine. */
  async join(worker: Host): Promise<void> {
    const token = await this.docker('swarm', 'join-token', '-q', 'worker');
    const own = this.swarmds.find(({ host }) => host === worker) ?? worker;
    await own.docker('swarm', 'join', '--token', token, `${this.swarmd.host.ip}:2377`);
  }

  docker(...args: string[]): Promise<string> {
    return this.swarmd.docker(...args);
  }

  /** Runs a command that has to fail: what it says. */
  async refused(...args: string[]): Promise<string> {
    const { code, stderr } = await this.swarmd.tryDocker(args);
    expect(code).not.toBe(0);
    return stderr;
  }

  /** `docker service create`, which ends when the service has converged (or at once with `-d` among the options). */
  create(name: string, options: readonly string[], ...what: string[]): Promise<string> {
    const quick = options.includes('--stop-signal') ? [] : ['--stop-signal', 'SIGKILL'];
    const usual = ['--no-resolve-image', '--name', name, ...quick];
    return this.docker('service', 'create', ...usual, ...options, ...what);
  }

  /** `docker service update` with short waits, which ends as `create` does. */
  update(name: string, ...options: string[]): Promise<string> {
    return this.docker('service', 'update', '--no-resolve-image', ...options, name);
  }

  /** Its tasks, the newest of a slot first. */
  async tasks(name: string, ...options: string[]): Promise<TaskRow[]> {
    const rows = await this.docker(
      ...['service', 'ps', '--no-trunc', '--format', '{{json .}}', ...options],
      name,
    );
    return rows === '' ? [] : rows.split('\n').map((row) => JSON.parse(row) as TaskRow);
  }

  /** The tasks that are to run and do, once there are `count` of them. */
  running(name: string, count: number): Promise<TaskRow[]> {
    return eventually(`${name}: ${count} tasks run`, async () => {
      const tasks = await this.tasks(name, '-f', 'desired-state=running');
      const all =
        tasks.length === count && tasks.every(({ CurrentState }) => CurrentState.startsWith('Running'));
      return all ? tasks : undefined;
    });
  }

  /** The service's tasks, once they are as `test` says. */
  tasksWhen(name: string, test: (tasks: readonly TaskRow[]) => boolean): Promise<TaskRow[]> {
    return eventually(`${name}: its tasks`, async () => {
      const tasks = await this.tasks(name);
      return test(tasks) ? tasks : undefined;
    });
  }

  /** `docker service inspect` with a format. */
  inspect(name: string, format: string): Promise<string> {
    return this.docker('service', 'inspect', name, '--format', format);
  }

  /** Waits until `inspect` shows that. */
  async inspectUntil(name: string, format: string, wanted: string): Promise<void> {
    await eventually(`${name} shows ${wanted}`, async () => {
      return (await this.inspect(name, format)) === wanted || undefined;
    });
  }

  host(name: string): Host {
    const host = this.hosts.all.find((one) => one.name === name);
    if (!host) throw new Error(`no host ${name}`);
    return host;
  }

  /** A task's container, as its engine shows it. */
  async container(task: TaskRow): Promise<TaskContainer> {
    const text = await this.host(task.Node).docker('inspect', containerName(task));
    return (JSON.parse(text) as [TaskContainer])[0];
  }

  /** Runs a command in a task's container. */
  exec(task: TaskRow, ...command: string[]): Promise<string> {
    return this.host(task.Node).docker('exec', containerName(task), ...command);
  }

  async remove(...names: string[]): Promise<void> {
    await this.docker('service', 'rm', ...names);
  }
}

/** The hosts of such a swarm, with their engines. */
export function startServiceHosts({ engines }: ServiceSwarmOptions): Promise<Hosts> {
  const versions = engines ?? ['20.10', '20.10', '28.5'];
  return startHosts({
    count: versions.length,
    engine: versions,
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
}

function containerName({ Name, ID }: TaskRow): string {
  return `${Name}.${ID}`;
}

/** The state of a task without its age. */
export function stateOf({ CurrentState }: TaskRow): string {
  return CurrentState.split(' ')[0] ?? '';
}
