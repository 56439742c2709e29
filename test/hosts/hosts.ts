import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureEngine, type EngineVersion } from './engines.ts';
import { Host } from './host.ts';
import { imageArchive } from './images.ts';
import { Switch } from './network.ts';
import { claimRunFolder, removeRun, type RunFolder } from './run-folder.ts';
import { issueServer, makeAuthority } from './tls.ts';

export interface HostsOptions {
  readonly count: number;
  /** Hosts are called `${prefix}-01`, `${prefix}-02`…; "core" if nothing is said. */
  readonly prefix?: string;
  /** One version for all, or one a host (the last for the rest); 20.10 if nothing is said. */
  readonly engine?: EngineVersion | readonly EngineVersion[];
  /** Engines that ask for a client certificate and listen on 2376. */
  readonly tls?: boolean;
  /** The engine's labels, one record a host. */
  readonly labels?: readonly Readonly<Record<string, string>>[];
  readonly extraDockerdArgs?: readonly string[];
  /** Added to the engines' environment. */
  readonly dockerdEnv?: Readonly<Record<string, string>>;
  /** The engines' TCP port; 2375, with TLS 2376, if nothing is said. */
  readonly port?: number;
  /**
   * A store through which the engines that can (20.10) share networks: called before they boot with this machine's
   * address on their network, gives `etcd://ip:port`.
   */
  readonly clusterStore?: (address: string) => Promise<string>;
  /** Called when all hosts are on the network and none has its engine yet: starts what those need. */
  readonly beforeEngines?: (hosts: readonly Host[]) => Promise<void>;
  /** busybox, nginx and redis stand-ins on every host; true if nothing is said. */
  readonly images?: boolean;
  /** Where the hosts' disks are: in memory (quick, as good as any for behaviour), or on disk (for measurements). */
  readonly disks?: 'memory' | 'disk';
  /** Whether SIGINT and SIGTERM clean up and end this process; true if nothing is said. */
  readonly handleSignals?: boolean;
}

/** Running hosts; `await using` or close() ends them and removes everything of theirs. */
export class Hosts implements AsyncDisposable, Iterable<Host> {
  readonly all: readonly Host[];
  /** Unique among the live runs of this machine; names the run's folder, link and control groups. */
  readonly runId: number;
  readonly #network: Switch;
  readonly #onSignal: ((signal: NodeJS.Signals) => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(folder: RunFolder, network: Switch, all: readonly Host[], handleSignals: boolean) {
    this.all = all;
    this.runId = folder.id;
    this.#network = network;
    if (!handleSignals) return;
    this.#onSignal = (signal) => {
      for (const host of all) host.killNow();
      void this.close().finally(() => process.kill(process.pid, signal));
    };
    process.once('SIGINT', this.#onSignal).once('SIGTERM', this.#onSignal);
  }

  /** The n-th host, from 0; throws where there is none. */
  at(index: number): Host {
    const host = this.all[index];
    if (host === undefined) throw new Error(`no host ${index}: there are ${this.all.length}`);
    return host;
  }

  /** "10.213.7.11:2375,10.213.7.12:2375", as nodes:// takes it. */
  get addresses(): string {
    return this.all.map((host) => host.address).join(',');
  }

  [Symbol.iterator](): Iterator<Host> {
    return this.all[Symbol.iterator]();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#onSignal !== undefined) process.off('SIGINT', this.#onSignal).off('SIGTERM', this.#onSignal);
    await Promise.allSettled(this.all.map((host) => host.dispose()));
    await this.#network[Symbol.asyncDispose]();
    removeRun(this.runId);
  }
}

/** Why no hosts can be had on this machine, in words for a person; undefined where they can. */
export function whyNoHosts(): string | undefined {
  if (process.platform !== 'linux') return 'Docker hosts need Linux';
  if (process.getuid?.() !== 0) return 'Docker hosts in network namespaces need root';
  const needed = { '/usr/sbin/dockerd': 'docker.io', '/usr/bin/busybox': 'busybox-static' };
  const missing = Object.entries(needed).flatMap(([path, name]) => (existsSync(path) ? [] : [name]));
  return missing.length === 0 ? undefined : `missing: ${missing.join(', ')} (apt-get install)`;
}

/**
 * Starts real Docker Engines as hosts of their own, all at once, reachable from this machine at their addresses.
 * Rejects, leaving nothing, when one does not come up.
 */
export async function startHosts(options: HostsOptions): Promise<Hosts> {
  const obstacle = whyNoHosts();
  if (obstacle !== undefined) throw new Error(obstacle);
  const folder = claimRunFolder();
  let network: Switch | undefined;
  const all: Host[] = [];
  try {
    const archive = options.images === false ? undefined : await imageArchive();
    network = await Switch.start(folder, options.disks !== 'disk');
    const clusterStore = await options.clusterStore?.(`${folder.subnet}.1`);
    all.push(...(await planHosts(options, folder, network, clusterStore)));
    if (options.beforeEngines !== undefined) {
      await each(all, (host) => host.boot());
      await options.beforeEngines(all);
    }
    let sharing = Promise.resolve();
    const boot = async (host: Host): Promise<void> => {
      // Engines look for each other once, at their start: whoever comes later must find the former ones.
      if (host.sharesNetworks) await (sharing = sharing.then(() => host.powerOn()));
      else await host.powerOn();
      if (archive !== undefined) await host.loadImages(archive);
    };
    await each(all, boot);
    return new Hosts(folder, network, all, options.handleSignals ?? true);
  } catch (error) {
    await Promise.allSettled(all.map((host) => host.dispose()));
    await network?.[Symbol.asyncDispose]();
    removeRun(folder.id);
    throw error;
  }
}

/** Every host is waited for, whatever another does: none may come up after the clean-up. */
async function each(all: readonly Host[], act: (host: Host) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(all.map(act));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function planHosts(
  options: HostsOptions,
  folder: RunFolder,
  network: Switch,
  clusterStore: string | undefined,
): Promise<Host[]> {
  const tlsFolder = join(folder.path, 'tls');
  const client = options.tls ? await makeAuthority(tlsFolder) : undefined;
  const versions = [options.engine ?? '20.10'].flat();
  const numbers = Array.from({ length: options.count }, (_, at) => at);
  return Promise.all(
    numbers.map(async (at) => {
      const name = `${options.prefix ?? 'core'}-${String(at + 1).padStart(2, '0')}`;
      const ip = `${folder.subnet}.${11 + at}`;
      const engine = await ensureEngine(versions[at] ?? versions.at(-1) ?? '20.10');
      const shares = clusterStore !== undefined && engine.version.startsWith('20.10.');
      const tls = client && { client, server: await issueServer(tlsFolder, name, ip) };
      const labels = options.labels?.[at] ?? {};
      const extraDockerdArgs = options.extraDockerdArgs ?? [];
      const store = shares ? { clusterStore } : {};
      const port = options.port === undefined ? {} : { port: options.port };
      const env = options.dockerdEnv === undefined ? {} : { dockerdEnv: options.dockerdEnv };
      const plan = {
        name,
        ip,
        engine,
        labels,
        extraDockerdArgs,
        ...env,
        ...port,
        ...store,
        ...(tls ? { tls } : {}),
      };
      return new Host(plan, folder, network);
    }),
  );
}
