import { createClient, createRouterTransport, type Client, type Interceptor } from '@connectrpc/connect';
import { Endpoints as EndpointsService } from '../../proto/generated/skep/endpoints_pb.js';
import { createEndpoints, type Endpoints, type EndpointsOptions } from '../../src/endpoints/index.ts';
import type {
  BalancerReport,
  EndpointsNeeds,
  EndpointsSource,
  EndpointsUpdate,
  ServiceEndpoints,
} from '../../src/model/index.ts';
import type { Store } from '../../src/store/index.ts';
import { errorInterceptor } from '../../src/swarmkit/grpc-error.ts';
import { PEER } from '../../src/swarmkit/identity.ts';
import { clusterFixture, fakeContext, fakeStore, type FakeTimes } from '../simulation/index.ts';
import { INGRESS, networkRow, nodeRow } from './rows.ts';

const NODE_HEADER = 'x-node';

/** Endpoints over a store in memory, in fake time. */
export interface InProcess {
  readonly endpoints: Endpoints;
  readonly store: Store;
  readonly times: FakeTimes;
  readonly lines: readonly string[];
  /** Errors that no code foresaw. */
  readonly faults: readonly string[];
  /** A balancer in this process; its first update has come. */
  readonly balancer: (
    nodeId: string,
    says?: Partial<BalancerReport>,
    needs?: EndpointsNeeds,
  ) => Promise<Balancer>;
  readonly client: (nodeId: string) => Client<typeof EndpointsService>;
  /** Ends the run and begins another. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface InProcessWishes extends EndpointsOptions {
  /** Nodes `node-1` … on the ingress network and `net-1`; 2 unless said. */
  readonly nodes?: number;
  readonly beforeRun?: (store: Store) => Promise<void>;
}

export async function startInProcess({
  nodes = 2,
  beforeRun,
  ...options
}: InProcessWishes = {}): Promise<InProcess> {
  const { store, times } = await fakeStore();
  const cluster = clusterFixture();
  await store.update((tx) => {
    tx.create('cluster', cluster);
    for (const id of [INGRESS, 'net-1', 'net-2']) tx.create('network', networkRow(id));
  });
  const numbers = Array.from({ length: nodes }, (_, number) => number + 1);
  await store.batch(numbers, (tx, number) => {
    tx.create('node', nodeRow(`node-${number}`, 200 + number, [INGRESS, 'net-1']));
  });
  await beforeRun?.(store);
  const context = fakeContext(store, times);
  const endpoints = createEndpoints(context, options);
  const faults: string[] = [];
  const identify: Interceptor = (next) => (request) => {
    const nodeId = request.header.get(NODE_HEADER) ?? '';
    const identity = { nodeId, role: 'worker' as const, organization: cluster.id };
    request.contextValues.set(PEER, { addr: '192.0.2.7', identity, expiresAtMs: Infinity, refusal: '' });
    return next(request);
  };
  const onFault = (method: string, words: string): void => void faults.push(`${method}: ${words}`);
  const client = (nodeId: string): Client<typeof EndpointsService> =>
    createClient(
      EndpointsService,
      createRouterTransport((router) => endpoints.routes(router), {
        router: { interceptors: [errorInterceptor(onFault), identify] },
        transport: {
          interceptors: [
            (next) => (request) => {
              request.header.set(NODE_HEADER, nodeId);
              return next(request);
            },
          ],
        },
      }),
    );
  const balancers: Balancer[] = [];
  let end = new AbortController();
  let running = endpoints.run(end.signal);
  await times.settle();
  const stopRun = async (): Promise<void> => {
    end.abort();
    await times.settle();
    await running;
  };
  return {
    ...{ endpoints, store, times, lines: context.lines, faults, client },
    balancer: async (nodeId, says, needs) => {
      const balancer = new Balancer(endpoints.sourceOf(nodeId), says, needs);
      balancers.push(balancer);
      await times.settle();
      return balancer;
    },
    restart: async () => {
      await stopRun();
      end = new AbortController();
      running = endpoints.run(end.signal);
      await times.settle();
    },
    stop: async () => {
      await Promise.all(balancers.map((balancer) => balancer.close()));
      await stopRun();
    },
  };
}

/** Plays a balancer: keeps what it is told, and says of each update that it is in force unless `isHeld` is set. */
export class Balancer {
  readonly updates: EndpointsUpdate[] = [];
  readonly services = new Map<string, ServiceEndpoints>();
  /** Says nothing while it is set. */
  isHeld = false;
  ended = false;
  readonly #source: EndpointsSource;
  readonly #needs: EndpointsNeeds;
  #says: Partial<BalancerReport>;
  readonly #end = new AbortController();
  readonly #reading: Promise<void>;

  constructor(source: EndpointsSource, says: Partial<BalancerReport> = {}, needs: EndpointsNeeds = 'all') {
    this.#source = source;
    this.#needs = needs;
    this.#says = says;
    this.#reading = this.#read();
  }

  get last(): EndpointsUpdate | undefined {
    return this.updates.at(-1);
  }

  on(networkId: string, serviceId: string): ServiceEndpoints | undefined {
    return this.services.get(`${networkId}/${serviceId}`);
  }

  /** `serving` and `leaving` by the task's id. */
  states(networkId: string, serviceId: string): Record<string, string> {
    const backends = this.on(networkId, serviceId)?.backends ?? [];
    return Object.fromEntries(backends.map(({ taskId, state }) => [taskId, state]));
  }

  /** What differs from a plain report is said with every later one, too. */
  say({ version = this.last?.version ?? 0, ...more }: Partial<BalancerReport> = {}): Promise<void> {
    this.#says = { ...this.#says, ...more };
    const plain = { version, mode: 'nftables' as const, problems: [], takenPorts: [], keepsClients: [] };
    return this.#source.report({ ...plain, ...this.#says });
  }

  answer(questionId: string, text: string): Promise<void> {
    return this.#source.answer(questionId, [{ verdict: 'ok', subject: 'rules', text }]);
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const update of this.#source.watch(this.#end.signal, this.#needs)) {
      this.updates.push(update);
      if (update.full) this.services.clear();
      for (const one of update.services) this.services.set(`${one.networkId}/${one.serviceId}`, one);
      for (const { networkId, serviceId } of update.goneServices)
        this.services.delete(`${networkId}/${serviceId}`);
      if (!this.isHeld) await this.say();
    }
    this.ended = true;
  }
}
