import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SYSTEM_TIMES } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import type { Endpoints } from '../../endpoints/index.ts';
import type { Leading, Manager, ManagerOptions } from '../../manager/index.ts';
import type { EndpointsSource } from '../../model/index.ts';
import { Keyring, LAYOUTS } from '../../store/index.ts';
import { startApiServer } from '../../docker-api/index.ts';
import { parseEngineAddress } from '../../engine/index.ts';
import type { Balancer, BalancerOptions } from '../../balancer/index.ts';
import { createApi } from '../api.ts';
import { Balancing } from '../balancing.ts';
import { LocalEngine } from '../local-engine.ts';
import { AtLeader } from '../at-leader.ts';
import { ManagerPeers } from '../manager-peers.ts';
import { RecentEvents } from '../recent-events.ts';
import { OwnEtcd } from '../own-etcd.ts';
import { ownStates } from '../own-states.ts';
import { StateFolder } from '../state-folder.ts';
import type { LifeOptions } from '../life-options.ts';
import { SwarmLife } from '../swarm-life.ts';
import { FakeEngine } from './fake-engine.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly value: unknown;
  readonly message: string;
}

/** A daemon in this process, with an engine that is a fake and a manager without a port. */
export interface TestDaemon extends AsyncDisposable {
  readonly engine: FakeEngine;
  readonly life: SwarmLife;
  readonly balancing: Balancing;
  readonly local: LocalEngine;
  /** As a restart of the daemon does; the last one has ended. */
  restartBalancing(): Balancing;
  /** What a removal says instead of removing. */
  failRemovals(words: string | undefined): void;
  /** One word for each time that what is balanced was removed. */
  readonly removals: readonly string[];
  readonly folder: StateFolder;
  /** Where its API listens. */
  readonly socket: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** What a daemon may have besides: what a swarm's life is told, and a balancer. */
interface Parts extends Partial<LifeOptions> {
  /** Called before a manager begins; what it throws keeps it from that. */
  readonly beforeManager?: () => void;
  readonly balancer?: (options: BalancerOptions) => Balancer;
}

export async function startDaemon({ balancer, beforeManager, ...parts }: Parts = {}): Promise<TestDaemon> {
  const disk = mkdtempSync(join(tmpdir(), 'swarmd-'));
  const fake = await new FakeEngine(join(disk, 'engine.sock')).start();
  const engine = new LocalEngine(parseEngineAddress(`unix://${fake.path}`));
  const folder = new StateFolder(join(disk, 'state'));
  const log = createLog('fatal');
  const times = SYSTEM_TIMES;
  const events = new RecentEvents();
  const keyring = new Keyring();
  const stopping = new AbortController();
  const life = new SwarmLife({
    folder,
    states: ownStates({
      ...{ times, log, keyring, folder, layouts: LAYOUTS },
      etcd: new OwnEtcd(folder, { times, log, onRemoved: () => undefined }),
      storeMember: 'auto',
      askUnlockKey: () => Promise.reject(new Error('nobody leads')),
      onWanted: () => Promise.resolve(),
    }),
    keyring,
    startManager: async (_context, { nodeId, whileLeading }) => {
      beforeManager?.();
      fake.becomes = nodeId;
      return leadingManager(nodeId, whileLeading);
    },
    peers: noPeers,
    onApi: (_req, res) => void res.destroy(),
    engine,
    events,
    times,
    log,
    ...parts,
  });
  const socket = join(disk, 'api.sock');
  const removals: string[] = [];
  let removalFault: string | undefined;
  const newBalancing = (): Balancing =>
    new Balancing({
      mode: 'auto',
      ...{ engine, folder, times, log },
      swarm: () => life.swarm,
      createBalancer: (options) => Promise.resolve((balancer ?? idleBalancer)(options)),
      removeBalancing: () => {
        if (removalFault !== undefined) return Promise.reject(new Error(removalFault));
        removals.push('removed');
        return Promise.resolve();
      },
    });
  let balancing = newBalancing();
  const atLeader = new AtLeader({ times, send: (...args) => noPeers.send(...args) });
  const handle = createApi({
    ...{ engine, life, atLeader, events, times, log },
    joined: () => undefined,
    get balancing() {
      return balancing;
    },
    stopping: stopping.signal,
  });
  const server = await startApiServer({ listen: [{ kind: 'unix', path: socket }], handle });
  return {
    engine: fake,
    local: engine,
    get balancing() {
      return balancing;
    },
    restartBalancing: () => (balancing = newBalancing()),
    removals,
    failRemovals: (words) => void (removalFault = words),
    life,
    folder,
    socket,
    call: (method, path, body) => ask(socket, method, path, body),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await server.close(0);
      await balancing.run(stopping.signal);
      await life.close();
      await engine.close();
      await fake.stop();
      rmSync(disk, { recursive: true, force: true });
    },
  };
}

/** No other manager is there. */
const noPeers = new ManagerPeers(() => undefined);

/** A manager that leads from its first moment to its last, and has no port. */
function leadingManager(nodeId: string, whileLeading: ManagerOptions['whileLeading']): Manager {
  const leading: Leading = {
    logs: { subscribe: () => (async function* nothing() {})() },
    endpoints: silentEndpoints(),
    routes: () => undefined,
    engineToken: () => 'TOKEN',
    whyNoManager: () => Promise.resolve('there is no other'),
    close: () => Promise.resolve(),
  };
  const stop = new AbortController();
  const beside = whileLeading?.(leading, stop.signal);
  return {
    port: 2377,
    leading,
    leader: { id: nodeId, addr: '127.0.0.1:2377' },
    credentials: { certPem: '', keyPem: '', rootPem: '' },
    engineToken: () => Promise.resolve('TOKEN'),
    resign: () => Promise.resolve(),
    dismissOthers: () => Promise.resolve(),
    untilLeading: () => Promise.resolve(),
    listen: () => () => undefined,
    close: async () => {
      stop.abort();
      await beside;
    },
  };
}

function idleBalancer(): Balancer {
  return {
    mode: 'none',
    run: (signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    examine: () => Promise.resolve([]),
    serviceId: () => undefined,
  };
}

/** Of a manager that has no port and no loops. */
function silentEndpoints(): Endpoints {
  const source: EndpointsSource = {
    watch: (signal) =>
      (async function* nothing() {
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
      })(),
    report: () => Promise.resolve(),
    answer: () => Promise.resolve(),
  };
  return {
    routes: () => undefined,
    run: () => Promise.resolve(),
    sourceOf: () => source,
    reportOf: () => undefined,
    ask: () => Promise.resolve(undefined),
    mayStop: () => true,
    onMayStop: () => () => undefined,
  };
}

function ask(socketPath: string, method: string, path: string, body: unknown): Promise<Answer> {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const value = parsed(text);
        const message = (value as { message?: string } | undefined)?.message ?? '';
        resolve({ status: res.statusCode ?? 0, headers: { ...res.headers }, value, message });
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
