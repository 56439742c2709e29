import type { ConnectRouter } from '@connectrpc/connect';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import {
  createCaServices,
  createCluster,
  issueManagerCertificate,
  OneTimeTokens,
  type ClusterOptions,
} from '../../src/ca/index.ts';
import type { Cluster, Node } from '../../src/model/index.ts';
import { memoryBackend, openStore, type LoopContext, type Store } from '../../src/store/index.ts';
import { startSwarmPort, type SwarmCredentials, type SwarmPort } from '../../src/swarmkit/index.ts';

export interface TestSwarmOptions {
  /** Services besides the CA's two. */
  readonly routes?: (router: ConnectRouter, context: LoopContext) => void;
  readonly cluster?: ClusterOptions;
  /** 127.0.0.1 if nothing is said. */
  readonly host?: string;
  /** A free one if nothing is said. */
  readonly port?: number;
  readonly lookMs?: number;
  readonly handshakeMs?: number;
}

/** A swarm in memory with its port open, for tests: the CA's services and what is added. */
export interface TestSwarm extends AsyncDisposable {
  readonly context: LoopContext;
  readonly store: Store;
  /** The present one. */
  readonly server: SwarmPort;
  /** `host:port` of the swarm's port. */
  readonly addr: string;
  readonly oneTime: OneTimeTokens;
  /** What was logged. */
  readonly lines: readonly string[];
  /** Of the node `manager0`, which has no row. */
  readonly credentials: SwarmCredentials;
  cluster(): Cluster;
  /** Throws where there is none. */
  node(id: string): Node;
  workerToken(): string;
  /** Closes the port and every connection, and listens there again when `closed` has ended. */
  reopenPort(closed?: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

export async function startTestSwarm(options: TestSwarmOptions = {}): Promise<TestSwarm> {
  const lines: string[] = [];
  const log = createLog('debug', { write: (text) => lines.push(text) });
  const onFault = (error: unknown): void => log.error({ error }, 'a listener of the store failed');
  const store = await openStore(memoryBackend(), { nowMs: Date.now, onFault });
  const fresh = await createCluster(options.cluster ?? {}, Date.now());
  await store.update((tx) => tx.create('cluster', fresh));
  const context: LoopContext = { store, times: SYSTEM_TIMES, log };
  const oneTime = new OneTimeTokens();
  const services = createCaServices(context, oneTime);
  const cluster = (): Cluster => there(store.view.cluster(), 'cluster');
  const credentials = await issueManagerCertificate(cluster(), 'manager0', Date.now());
  const host = options.host ?? '127.0.0.1';
  const { lookMs, handshakeMs } = options;
  const isManager = (id: string): boolean => store.view.get('node', id)?.role === 'manager';
  const open = async (port: number): Promise<SwarmPort> => {
    const opened = await startSwarmPort({
      listen: { host, port },
      credentials,
      isManager,
      log,
      ...(lookMs === undefined ? {} : { lookMs }),
      ...(handshakeMs === undefined ? {} : { handshakeMs }),
    });
    opened.serve((router) => {
      services.routes(router);
      options.routes?.(router, context);
    });
    return opened;
  };
  let server = await open(options.port ?? 0);
  const close = async (): Promise<void> => {
    await server.close(0);
    services.close();
    await store.close();
  };
  return {
    ...{ context, store, oneTime, lines, credentials, cluster, close },
    get server() {
      return server;
    },
    addr: `${host}:${server.port}`,
    node: (id) => there(store.view.get('node', id), `node ${id}`),
    workerToken: () => cluster().rootCa.joinTokens.worker,
    reopenPort: async (closed) => {
      const { port } = server;
      await server.close(0);
      await closed?.();
      server = await open(port);
    },
    [Symbol.asyncDispose]: close,
  };
}

function there<T>(object: T | undefined, what: string): T {
  if (object === undefined) throw new Error(`no ${what}`);
  return object;
}
