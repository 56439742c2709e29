import { createLog } from '../../src/base/log.ts';
import type {
  Availability,
  ClusterSpec,
  NodeState,
  Service,
  ServiceSpec,
  Task,
} from '../../src/model/index.ts';
import { memoryBackend, openStore, type LoopContext, type Store } from '../../src/store/index.ts';
import { RUNS, type Behaviour } from './behaviour.ts';
import { FakeTimes } from './fake-times.ts';
import {
  clusterFixture,
  nodeFixture,
  serviceFixture,
  type NodeWishes,
  type ServiceWishes,
} from './fixtures.ts';
import { SimulatedAgents } from './simulated-agents.ts';
import { runSimulatedPlacing } from './simulated-placing.ts';

export interface SimulationOptions {
  /** Nodes `node-1`, `node-2`, …; 3 unless said. */
  readonly nodes?: number;
  readonly cluster?: Partial<ClusterSpec>;
  /** Loops that start with it; more with `run`. */
  readonly loops?: readonly Loop[];
  /** False leaves new tasks as they are: for tests that bring an allocator and a placer. */
  readonly placing?: boolean;
  /** False lets no task go beyond `assigned`. */
  readonly agents?: boolean;
}

export type Loop = (context: LoopContext, signal: AbortSignal) => Promise<void>;

/** A memory store on a fake clock. */
export async function fakeStore(times = new FakeTimes()): Promise<{ store: Store; times: FakeTimes }> {
  const onFault = (error: unknown): void => {
    throw error;
  };
  const store = await openStore(memoryBackend(), { nowMs: () => times.wallMs(), onFault });
  times.heed(() => store.view.revision);
  return { store, times };
}

/** A context whose log keeps warnings and errors as lines. */
export function fakeContext(store: Store, times: FakeTimes): LoopContext & { readonly lines: string[] } {
  const lines: string[] = [];
  return { store, times, lines, log: createLog('warn', { write: (line) => lines.push(line) }) };
}

/** A cluster without engines: nodes, agents and placing are played, so that loops of the orchestrator can be tried in fake time. */
export class SimulatedCluster {
  readonly store: Store;
  readonly times: FakeTimes;
  readonly context: LoopContext & { readonly lines: string[] };
  readonly #end = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #behaviourOf: (task: Task) => Behaviour = () => RUNS;

  private constructor(store: Store, times: FakeTimes) {
    this.store = store;
    this.times = times;
    this.context = fakeContext(store, times);
  }

  static async start(options: SimulationOptions = {}): Promise<SimulatedCluster> {
    const { store, times } = await fakeStore();
    const cluster = new SimulatedCluster(store, times);
    await store.update((tx) => tx.create('cluster', clusterFixture(options.cluster)));
    for (let number = 1; number <= (options.nodes ?? 3); number++)
      await cluster.addNode({ id: `node-${number}`, hostname: `host-${number}` });
    if (options.agents !== false) cluster.#playAgents();
    if (options.placing !== false) cluster.run(runSimulatedPlacing);
    for (const loop of options.loops ?? []) cluster.run(loop);
    await times.settle();
    return cluster;
  }

  #playAgents(): void {
    const agents = new SimulatedAgents(this.store, this.times, this.#end.signal, (task) =>
      this.#behaviourOf(task),
    );
    this.store.watch((events) => {
      for (const { kind, type, object } of events) {
        if (kind === 'node') agents.seeNode();
        else if (kind === 'task' && type !== 'remove') agents.see(object);
        else if (kind === 'task') agents.see({ ...object, nodeId: '' });
      }
    });
  }

  /** Starts a loop; it ends with the cluster. Returns what ends it before. */
  run(loop: Loop): () => Promise<void> {
    const own = new AbortController();
    const running = loop(this.context, AbortSignal.any([own.signal, this.#end.signal]));
    running.catch(() => undefined); // seen by stop
    this.#loops.push(running);
    return async () => {
      own.abort();
      await running;
    };
  }

  /** What the containers of tasks do that are started from now on. */
  behave(behaviourOf: Behaviour | ((task: Task) => Behaviour)): void {
    this.#behaviourOf = typeof behaviourOf === 'function' ? behaviourOf : () => behaviourOf;
  }

  async advance(ms: number): Promise<void> {
    await this.times.advance(ms);
  }

  /** Advances in small steps until it holds; throws, with all tasks named, when it does not within that time. */
  async until(what: string, holds: () => boolean, withinMs = 60_000): Promise<void> {
    const endMs = this.times.nowMs() + withinMs;
    await this.times.settle();
    while (!holds()) {
      if (this.times.nowMs() >= endMs) throw new Error(`not within ${withinMs} ms: ${what}\n${this.shown()}`);
      await this.advance(100);
    }
  }

  async addNode(wishes: NodeWishes = {}): Promise<string> {
    return this.store.update((tx) => tx.create('node', nodeFixture(wishes)).id);
  }

  async removeNode(id: string): Promise<void> {
    await this.store.update((tx) => tx.remove('node', id));
    await this.times.settle();
  }

  /** What the dispatcher would find of a node: `down` is a host without power, its tasks go on unseen. */
  async setNode(id: string, state: NodeState, availability?: Availability): Promise<void> {
    await this.store.update((tx) => {
      const node = tx.get('node', id);
      if (!node) throw new Error(`no node ${id}`);
      tx.update('node', {
        ...node,
        status: { ...node.status, state },
        spec: { ...node.spec, availability: availability ?? node.spec.availability },
      });
    });
    await this.times.settle();
  }

  down(id: string): Promise<void> {
    return this.setNode(id, 'down');
  }

  ready(id: string): Promise<void> {
    return this.setNode(id, 'ready');
  }

  drain(id: string): Promise<void> {
    return this.setNode(id, 'ready', 'drain');
  }

  async createService(wishes: ServiceWishes = {}): Promise<Service> {
    const nowMs = this.times.wallMs();
    const service = await this.store.update((tx) =>
      tx.create('service', serviceFixture({ nowMs, ...wishes }, tx.nextVersion)),
    );
    await this.times.settle();
    return service;
  }

  /** As `docker service update`: a new spec version, the former spec kept; of a job, the next iteration. */
  async updateService(id: string, change: (spec: ServiceSpec) => ServiceSpec): Promise<Service> {
    const nowMs = this.times.wallMs();
    const service = await this.store.update((tx) => {
      const before = tx.get('service', id) ?? missing(id);
      return tx.update('service', {
        ...before,
        spec: change(before.spec),
        specVersion: tx.nextVersion,
        updateStatus: undefined,
        previousSpec: before.spec,
        previousSpecVersion: before.specVersion,
        ...(before.job ? { job: { iteration: before.job.iteration + 1, lastExecutionMs: nowMs } } : {}),
      });
    });
    await this.times.settle();
    return service;
  }

  async scale(id: string, replicas: number): Promise<void> {
    await this.updateService(id, (spec) => ({ ...spec, mode: { kind: 'replicated', replicas } }));
  }

  async removeService(id: string): Promise<void> {
    await this.store.update((tx) => tx.remove('service', id));
    await this.times.settle();
  }

  service(id: string): Service {
    return this.store.view.get('service', id) ?? missing(id);
  }

  /** Of a service by slot, node and age; or all there are. */
  tasks(serviceId?: string): Task[] {
    const { view } = this.store;
    const tasks = serviceId === undefined ? view.all('task') : view.tasksOfService(serviceId);
    return [...tasks].sort(
      (a, b) =>
        a.slot - b.slot || a.nodeId.localeCompare(b.nodeId) || a.meta.createdAtMs - b.meta.createdAtMs,
    );
  }

  /** Those of a service that run and are wanted to. */
  running(serviceId?: string): Task[] {
    return this.tasks(serviceId).filter(
      ({ status, desiredState }) =>
        status.state === 'running' && ['running', 'complete'].includes(desiredState),
    );
  }

  /** All tasks as lines: for the message of a failed test. */
  shown(): string {
    return this.tasks()
      .map(
        ({ id, slot, nodeId, desiredState, status }) =>
          `${id.slice(0, 8)} slot ${slot} node ${nodeId || '-'} ${status.state} (wanted ${desiredState}) ${status.err}`,
      )
      .join('\n');
  }

  /** Ends everything. Rejects when a loop did not end as loops do: by returning when told to. */
  async stop(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#loops);
    await this.times.settle();
    await this.store.close();
  }
}

function missing(id: string): never {
  throw new Error(`no service ${id}`);
}
