import { freePort } from '../stores/server-process.ts';
import { startSwarm, type Swarm } from '../virtual-host/manager.ts';
import { call } from '../virtual-host/raw.ts';
import { startCutProxy, type CutProxy } from './cut-proxy.ts';

const ARGS = [
  ...['--replication', '--replication-ttl', '5s'],
  ...['--engine-refresh-min-interval', '1s', '--engine-refresh-max-interval', '2s'],
];

/** A replicated manager that can be hurt in every way, and is always at the same address. */
export class ChaosManager implements AsyncDisposable {
  readonly advertise: string;
  /** Its way to the store. */
  readonly store: CutProxy;
  readonly #discovery: string;
  #swarm: Swarm | undefined;

  private constructor(advertise: string, store: CutProxy, discovery: string) {
    this.advertise = advertise;
    this.store = store;
    this.#discovery = discovery;
  }

  /** `discovery`: etcd://ip:port/path */
  static async start(discovery: string): Promise<ChaosManager> {
    const [, endpoint = '', path = ''] = /^etcd:\/\/([^/]+)\/(.*)$/.exec(discovery) ?? [];
    const store = await startCutProxy(endpoint);
    const advertise = `127.0.0.1:${await freePort('127.0.0.1')}`;
    const manager = new ChaosManager(advertise, store, `etcd://${store.address}/${path}`);
    await manager.startAgain();
    return manager;
  }

  get url(): string {
    return `http://${this.advertise}`;
  }

  async startAgain(): Promise<void> {
    this.#swarm = await startSwarm(undefined, {
      args: ['-H', `tcp://${this.advertise}`, '--advertise', this.advertise, ...ARGS],
      discovery: this.#discovery,
    });
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#swarm?.stop();
  }

  /** Asks it to end, and waits. */
  async end(): Promise<void> {
    await this.#swarm?.stop();
  }

  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Throws where the manager has ended, which nobody but this may have it do. */
  #signal(signal: NodeJS.Signals): void {
    const swarm = this.#swarm;
    if (!swarm) return;
    try {
      process.kill(swarm.pid, signal);
    } catch (error) {
      throw new Error(`a manager ended by itself: ${swarm.log().slice(-4000)}`, { cause: error });
    }
  }

  /** What it says of itself: its role, and how many engines it finds healthy. */
  async state(): Promise<{ role: string; healthy: number }> {
    const answer = await call(this.url, 'GET', '/info', { signal: AbortSignal.timeout(5_000) });
    const lines = answer.json<{ SystemStatus: [string, string][] }>().SystemStatus;
    return {
      role: lines.find(([key]) => key === 'Role')?.[1] ?? '',
      healthy: lines.filter(([key, value]) => key.endsWith('Status') && value === 'Healthy').length,
    };
  }

  /** All it knows, sorted. */
  async containerIds(): Promise<string[]> {
    const answer = await call(this.url, 'GET', '/containers/json?all=1');
    return answer
      .json<{ Id: string }[]>()
      .map(({ Id }) => Id)
      .sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.thaw();
    } finally {
      await this.end();
      await this.store[Symbol.asyncDispose]();
    }
  }
}
