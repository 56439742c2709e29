import { engineCall } from '../hosts/engine-api.ts';
import type { EngineVersion, Host } from '../hosts/index.ts';
import {
  eventually,
  ServiceSwarm,
  startServiceHosts,
  type ServiceSwarmOptions,
  type TaskRow,
} from '../swarm-mode/services/service-swarm.ts';
import { responderArchive } from './responder-image.ts';
import { fetchFrom, inContainer, type Place } from './places.ts';

export interface NetworkSwarmOptions {
  /** Hosts with swarmd: the manager, and workers that joined by their own one; 3 if nothing is said. */
  readonly swarmd?: number;
  /** Workers with nothing but their engine; none if nothing is said. */
  readonly plain?: number;
  /** One a host, those with swarmd first; 20.10, but every third one of today, if nothing is said. */
  readonly engines?: readonly EngineVersion[];
  readonly swarmdArgs?: readonly string[];
}

/** What a task needs to say which one it is. */
const NAMED = ['--env', 'NAME={{.Task.ID}}'];

/** A swarm whose hosts have the tests' server, and ways to ask it. */
export class NetworkSwarm extends ServiceSwarm {
  static async begin(options: ServiceSwarmOptions): Promise<NetworkSwarm> {
    return new NetworkSwarm(await startServiceHosts(options), options).joined(options);
  }

  /** The manager's host, that of a worker… */
  at(index: number): Host {
    return this.hosts.at(index);
  }

  /** Hosts on which swarmd balances. */
  get balancing(): readonly Host[] {
    return this.swarmds.map(({ host }) => host);
  }

  /** A service of the tests' server, whose tasks answer with their ids; returns when it has converged. */
  async serve(name: string, options: readonly string[], ...command: string[]): Promise<void> {
    const quick = ['--update-monitor', '100ms', '--restart-delay', '100ms'];
    await this.create(name, [...quick, ...NAMED, ...options], 'responder', ...command);
  }

  /** The tasks that answer to so many requests of a place, by their ids, in order. */
  async answering(from: Place, url: string, requests: number): Promise<string[]> {
    const urls = Array.from({ length: requests }, () => url);
    return [...new Set((await fetchFrom(from, ...urls)).split('\n').map(nameIn))].sort();
  }

  /** Waits until just these tasks answer there. */
  async answeredBy(from: Place, url: string, tasks: readonly TaskRow[]): Promise<void> {
    const wanted = tasks.map(({ ID }) => ID).sort();
    const asked = 8 * wanted.length + 4;
    let last = '';
    await eventually(`${url} is answered by ${wanted.length} tasks`, async () => {
      last = (await this.answering(from, url, asked).catch((error: unknown) => [String(error)])).join(' ');
      return last === wanted.join(' ') || undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\nlast: ${last}\nwanted: ${wanted.join(' ')}`, { cause: error });
    });
  }

  /** What may explain a failure: the last words of every swarmd, and of every engine about those it lost sight of. */
  story(): string {
    const said = this.swarmds.map(({ host, log }) => `${host.name}, swarmd:\n${log.slice(-3_000)}`);
    const gossip = this.hosts.all.map(({ name, log }) => {
      const lines = log.split('\n').filter((line) => /memberlist|gossip|bulk sync/i.test(line));
      return `${name}, engine:\n${lines.slice(-15).join('\n')}`;
    });
    return [...said, ...gossip].join('\n');
  }

  /** In the network of a task's container. */
  inTask(task: TaskRow): Promise<Place> {
    return inContainer(this.host(task.Node), `${task.Name}.${task.ID}`);
  }

  /** A service's virtual IP on a network; '' where it has none. */
  async virtualIp(service: string, network: string): Promise<string> {
    const get = (path: string): Promise<unknown> => engineCall(this.swarmd.socket, 'GET', path);
    const { Id } = (await get(`/networks/${network}`)) as { readonly Id: string };
    const { Endpoint } = (await get(`/services/${service}`)) as ServiceJson;
    const found = Endpoint.VirtualIPs?.find(({ NetworkID }) => NetworkID === Id);
    return found?.Addr.replace(/\/.*/, '') ?? '';
  }
}

interface ServiceJson {
  readonly Endpoint: {
    readonly VirtualIPs?: readonly { readonly NetworkID: string; readonly Addr: string }[];
  };
}

/** The name in an answer of the tests' server. */
export function nameIn(answer: string): string {
  return answer.split(' ')[0] ?? '';
}

/** The client's address in an answer of the tests' server. */
export function clientIn(answer: string): string {
  return answer.split(' ')[1] ?? '';
}

/** Starts hosts with swarmd and plain ones, and makes a swarm of them. Rejects, leaving nothing, where one fails. */
export async function startNetworkSwarm(options: NetworkSwarmOptions = {}): Promise<NetworkSwarm> {
  const swarmds = options.swarmd ?? 3;
  const count = swarmds + (options.plain ?? 0);
  const engines = Array.from({ length: count }, (_, at): EngineVersion => (at % 3 === 2 ? '28.5' : '20.10'));
  return NetworkSwarm.begin({
    engines: options.engines ?? engines,
    swarmds,
    swarmdArgs: options.swarmdArgs ?? [],
    archives: [await responderArchive()],
  });
}
