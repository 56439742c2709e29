import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../../hosts/index.ts';
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

/** A swarm of a manager's host and two plain engines, the second of them of today. */
export class ServiceSwarm implements AsyncDisposable {
  readonly hosts: Hosts;
  readonly swarmd: Swarmd;

  private constructor(hosts: Hosts, swarmd: Swarmd) {
    this.hosts = hosts;
    this.swarmd = swarmd;
  }

  static async start(): Promise<ServiceSwarm> {
    const hosts = await startHosts({
      count: 3,
      engine: ['20.10', '20.10', '28.5'],
      dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
    });
    const swarmd = new Swarmd(hosts.at(0));
    const swarm = new ServiceSwarm(hosts, swarmd);
    try {
      await swarmd.start();
      const [manager, ...workers] = hosts.all;
      await swarmd.docker('swarm', 'init', '--advertise-addr', manager?.ip ?? '');
      const token = await swarmd.docker('swarm', 'join-token', '-q', 'worker');
      for (const worker of workers)
        await worker.docker('swarm', 'join', '--token', token, `${manager?.ip}:2377`);
      await eventually('all nodes are ready', async () => {
        const states = await swarmd.docker('node', 'ls', '--format', '{{.Status}}');
        return states === 'Ready\nReady\nReady' || undefined;
      });
    } catch (error) {
      const log = swarmd.log.slice(-3_000);
      await swarm[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${log}`, { cause: error });
    }
    return swarm;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.swarmd.kill();
    await this.hosts.close();
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

function containerName({ Name, ID }: TaskRow): string {
  return `${Name}.${ID}`;
}

/** The state of a task without its age. */
export function stateOf({ CurrentState }: TaskRow): string {
  return CurrentState.split(' ')[0] ?? '';
}
