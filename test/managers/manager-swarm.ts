import { join } from 'node:path';
import {
  hostEnvironment,
  run,
  startHosts,
  type EngineVersion,
  type Host,
  type Hosts,
} from '../hosts/index.ts';
import { ensureEtcd, startEtcd, type Etcd } from '../stores/etcd.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';

/** A line of `docker node ls`. */
export interface NodeRow {
  readonly ID: string;
  readonly Hostname: string;
  readonly Status: string;
  readonly Availability: string;
  /** Leader, Reachable, Unreachable; '' for a worker. */
  readonly ManagerStatus: string;
  /** Whether the manager that was asked is on it. */
  readonly Self: boolean;
}

/** Hosts with swarmd over one etcd: the tests', or their own. */
export class ManagerSwarm implements AsyncDisposable {
  readonly hosts: Hosts;
  /** Undefined where they have their own. */
  readonly etcd: Etcd | undefined;
  readonly swarmds: readonly Swarmd[];

  private constructor(hosts: Hosts, swarmds: readonly Swarmd[], etcd: Etcd | undefined) {
    this.hosts = hosts;
    this.swarmds = swarmds;
    this.etcd = etcd;
  }

  /**
   * Hosts of which the first `managers` are managers, the others workers, the last `plain` of them without swarmd; only
   * the first `joined` are in at all, if that is said.
   */
  static async start(
    engines: readonly EngineVersion[],
    {
      managers,
      own = false,
      joined = engines.length,
      plain = 0,
      prepare,
      env,
    }: {
      readonly managers: number;
      readonly own?: boolean;
      readonly joined?: number;
      readonly plain?: number;
      /** Called before anything is started on the hosts; may say where the tests' etcd is to have its data. */
      readonly prepare?: (hosts: Hosts) => Promise<{ readonly etcdData?: string }>;
      /** Added to the environment of a host's swarmd. */
      readonly env?: (host: Host) => Readonly<Record<string, string>>;
    },
  ): Promise<ManagerSwarm> {
    const hosts = await startHosts({
      count: engines.length,
      engine: engines,
      dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
    });
    const startStore = async (): Promise<Etcd | undefined> => {
      const { etcdData: dataDir } = (await prepare?.(hosts)) ?? {};
      return own
        ? undefined
        : startEtcd({ listen: addressOf(hosts), ...(dataDir === undefined ? {} : { dataDir }) });
    };
    const etcd = await startStore().catch(async (error: unknown) => {
      await hosts.close();
      throw error;
    });
    const PATH = `${await ensureEtcd('3.4')}:${hostEnvironment()['PATH'] ?? ''}`;
    const args = etcd ? ['--store', `etcd://${etcd.endpoint}/test`] : [];
    const swarmds = hosts.all
      .slice(0, engines.length - plain)
      .map((host) => new Swarmd(host, { args, env: { PATH, ...env?.(host) } }));
    const swarm = new ManagerSwarm(hosts, swarmds, etcd);
    try {
      await Promise.all(swarm.swarmds.map((one) => one.start()));
      await swarm.at(0).docker('swarm', 'init', '--advertise-addr', swarm.hosts.at(0).ip);
      for (const [index, one] of [...swarmds, ...hosts.all.slice(swarmds.length)].entries())
        if (index > 0 && index < joined) await swarm.join(one, index < managers ? 'manager' : 'worker');
      await swarm.nodes(0, (rows) => rows.every(({ Status }) => Status === 'Ready'));
    } catch (error) {
      const story = swarm.story();
      await swarm[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${story}`, { cause: error });
    }
    return swarm;
  }

  at(index: number): Swarmd {
    const found = this.swarmds[index];
    if (!found) throw new Error(`no host ${index}`);
    return found;
  }

  /**
   * Joins through a manager; gives what the docker CLI says. An engine waits 20 s for its node, which a busy machine may not have, and
   * goes on in the background.
   */
  async join(joiner: Swarmd | Host, role: 'manager' | 'worker', through = this.at(0)): Promise<string> {
    const token = await through.docker('swarm', 'join-token', '-q', role);
    const joined = joiner.docker('swarm', 'join', '--token', token, `${through.host.ip}:2377`);
    if (joiner instanceof Swarmd) return joined;
    return joined.catch((error: unknown) => {
      if (String(error).includes('will continue in the background')) return '';
      throw error;
    });
  }

  /** `docker node ls` at a host, once it is as `test` says. */
  async nodes(
    index: number,
    test: (rows: readonly NodeRow[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly NodeRow[]> {
    let last = '';
    const ask = async (): Promise<readonly NodeRow[] | undefined> => {
      const { code, stdout } = await this.at(index).tryDocker(['node', 'ls', '--format', '{{json .}}']);
      if (code !== 0 || stdout.trim() === '') return undefined;
      last = stdout;
      const rows = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as NodeRow);
      return test(rows) ? rows : undefined;
    };
    const wanted = eventually(`host ${index} lists its nodes as wanted`, ask, timeoutMs);
    return wanted.catch((error: unknown) => {
      throw new Error(`${String(error)}\nlast: ${last}`, { cause: error });
    });
  }

  /** Until a host shows that one as the witness; no one, where undefined. */
  async witness(index: number, wanted: number | undefined): Promise<void> {
    const label = ['node', 'ls', '--filter', 'node.label=skep.witness=true', '--format', '{{.Hostname}}'];
    const name = wanted === undefined ? '' : this.hosts.at(wanted).name;
    await eventually(`host ${index} shows the witness '${name}'`, async () =>
      (await this.at(index).tryDocker(label)).stdout.trim() === name ? true : undefined,
    );
  }

  /** The index of the host that leads, as the host `asked` knows it. */
  async leader(asked = 0): Promise<number> {
    const rows = await this.nodes(asked, (all) =>
      all.some(({ ManagerStatus }) => ManagerStatus === 'Leader'),
    );
    const name = rows.find(({ ManagerStatus }) => ManagerStatus === 'Leader')?.Hostname;
    return this.hosts.all.findIndex((host) => host.name === name);
  }

  host(name: string): Host {
    const host = this.hosts.all.find((one) => one.name === name);
    if (!host) throw new Error(`no host ${name}`);
    return host;
  }

  /** etcdctl (API 3) on a host, at the member that swarmd runs there; gives its output. */
  async etcdctl(index: number, ...args: string[]): Promise<string> {
    const { host, stateDir } = this.at(index);
    const tls = join(stateDir, 'etcd/tls/client');
    const files = [
      '--cacert',
      join(tls, 'ca.pem'),
      '--cert',
      join(tls, 'cert.pem'),
      '--key',
      join(tls, 'key.pem'),
    ];
    const program = join(await ensureEtcd('3.4'), 'etcdctl');
    const at = ['--endpoints', 'https://127.0.0.1:2387', ...files];
    return run('nsenter', [...host.entry, program, ...at, ...args], {
      env: { ...hostEnvironment(), ETCDCTL_API: '3' },
    });
  }

  /** What may explain a failure. */
  story(): string {
    return this.swarmds.map(({ host, log }) => `${host.name}:\n${log.slice(-4_000)}`).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.swarmds.map((one) => one.kill()));
    await this.hosts.close();
    await this.etcd?.[Symbol.asyncDispose]();
  }
}

/** This machine's address on the hosts' network. */
function addressOf(hosts: Hosts): string {
  return hosts.at(0).ip.replace(/\d+$/, '1');
}
