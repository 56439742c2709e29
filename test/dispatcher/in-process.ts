import { createClient, createRouterTransport, type Client, type Interceptor } from '@connectrpc/connect';
import {
  Dispatcher as DispatcherService,
  type AssignmentsMessage,
  type SessionMessage,
} from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { LogBroker } from '../../proto/generated/swarmkit/log_broker_pb.js';
import { ResourceAllocator } from '../../proto/generated/swarmkit/resource_pb.js';
import { newId } from '../../src/base/ids.ts';
import { createDispatcher, type Dispatcher, type DispatcherOptions } from '../../src/dispatcher/index.ts';
import type { ClusterSpec, Task } from '../../src/model/index.ts';
import type { LoopContext, Store } from '../../src/store/index.ts';
import { errorInterceptor } from '../../src/swarmkit/grpc-error.ts';
import { PEER } from '../../src/swarmkit/identity.ts';
import {
  clusterFixture,
  containerFixture,
  fakeContext,
  fakeStore,
  nodeFixture,
  type FakeTimes,
} from '../simulation/index.ts';

const NODE_HEADER = 'x-node';

/** What came over one stream, and how it ended. */
export class Reader<T> implements AsyncDisposable {
  readonly messages: T[] = [];
  /** Undefined while it goes on; null when it ended without an error. */
  ended: Error | null | undefined;
  readonly #cancel = new AbortController();
  readonly #reading: Promise<void>;

  constructor(open: (signal: AbortSignal) => AsyncIterable<T>) {
    this.#reading = this.#read(open(this.#cancel.signal));
  }

  get last(): T | undefined {
    return this.messages.at(-1);
  }

  async cancel(): Promise<void> {
    this.#cancel.abort();
    await this.#reading;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  async #read(stream: AsyncIterable<T>): Promise<void> {
    try {
      for await (const message of stream) this.messages.push(message);
      this.ended = null;
    } catch (error) {
      this.ended = error as Error;
    }
  }
}

/** A dispatcher whose agents are called from this process, in fake time. */
export interface InProcess {
  readonly dispatcher: Dispatcher;
  readonly store: Store;
  readonly times: FakeTimes;
  readonly lines: readonly string[];
  /** Errors that no code foresaw. */
  readonly faults: readonly string[];
  readonly agent: (nodeId: string) => Client<typeof DispatcherService>;
  readonly logAgent: (nodeId: string) => Client<typeof LogBroker>;
  readonly resources: (nodeId: string) => Client<typeof ResourceAllocator>;
  /** Opens a session and waits for its first message. */
  readonly session: (nodeId: string, sessionId?: string) => Promise<Reader<SessionMessage>>;
  readonly assignments: (nodeId: string, sessionId: string) => Promise<Reader<AssignmentsMessage>>;
  /** Ends the run and begins another, as a manager that starts again. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface InProcessOptions {
  readonly nodes?: number;
  readonly cluster?: Partial<ClusterSpec>;
  readonly options?: Partial<DispatcherOptions>;
  readonly times?: (times: FakeTimes) => LoopContext['times'];
  readonly beforeRun?: (store: Store) => Promise<void>;
}

/** The nodes are `node-1` …; a heartbeat is due each second, exactly. */
export async function startInProcess(wishes: InProcessOptions = {}): Promise<InProcess> {
  const { store, times } = await fakeStore();
  const cluster = clusterFixture({ heartbeatPeriodNs: 1e9, ...wishes.cluster });
  await store.update((tx) => tx.create('cluster', cluster));
  for (let number = 1; number <= (wishes.nodes ?? 1); number++)
    await store.update((tx) => tx.create('node', nodeFixture({ id: `node-${number}`, state: 'unknown' })));
  await wishes.beforeRun?.(store);
  const context = fakeContext(store, times);
  const dispatcher = createDispatcher(
    { ...context, times: wishes.times?.(times) ?? times },
    {
      managerId: 'manager-1',
      managers: () => [{ nodeId: 'manager-1', addr: '192.0.2.1:2377' }],
      random: () => 0.5,
      ...wishes.options,
    },
  );
  const faults: string[] = [];
  const identify: Interceptor = (next) => (request) => {
    const nodeId = request.header.get(NODE_HEADER) ?? '';
    const identity = { nodeId, role: 'worker' as const, organization: cluster.id };
    request.contextValues.set(PEER, { addr: '192.0.2.7', identity, expiresAtMs: Infinity, refusal: '' });
    return next(request);
  };
  const onFault = (method: string, words: string): void => void faults.push(`${method}: ${words}`);
  const transportOf = (nodeId: string) =>
    createRouterTransport((router) => dispatcher.routes(router), {
      router: { interceptors: [errorInterceptor(onFault), identify] },
      transport: {
        interceptors: [
          (next) => (request) => {
            request.header.set(NODE_HEADER, nodeId);
            return next(request);
          },
        ],
      },
    });
  let end = new AbortController();
  let running = dispatcher.run(end.signal);
  await times.settle();
  const agent = (nodeId: string) => createClient(DispatcherService, transportOf(nodeId));
  const settled = async <T>(reader: Reader<T>): Promise<Reader<T>> => {
    await times.settle();
    return reader;
  };
  const stop = async (): Promise<void> => {
    end.abort();
    await times.settle();
    await running;
  };
  return {
    ...{ dispatcher, store, times, lines: context.lines, faults, agent, stop },
    logAgent: (nodeId) => createClient(LogBroker, transportOf(nodeId)),
    resources: (nodeId) => createClient(ResourceAllocator, transportOf(nodeId)),
    session: (nodeId, sessionId = '') =>
      settled(new Reader((signal) => agent(nodeId).session({ sessionId }, { signal }))),
    assignments: (nodeId, sessionId) =>
      settled(new Reader((signal) => agent(nodeId).assignments({ sessionId }, { signal }))),
    restart: async () => {
      await stop();
      end = new AbortController();
      running = dispatcher.run(end.signal);
      await times.settle();
    },
  };
}

/** A task of `node-1` that is to run and has just been placed. */
export function taskFixture(wishes: Partial<Task> = {}): Omit<Task, 'meta'> {
  return {
    id: newId(),
    serviceId: 'service-1',
    slot: 1,
    nodeId: 'node-1',
    annotations: { name: '', labels: {} },
    serviceAnnotations: { name: 'web', labels: {} },
    spec: { container: containerFixture(), networks: [], forceUpdate: 0 },
    specVersion: 1,
    status: {
      state: 'assigned',
      timestampMs: 1,
      message: '',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: 1,
    },
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
    ...wishes,
  };
}
