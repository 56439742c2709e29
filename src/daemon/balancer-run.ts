import type { Times } from '../base/clock.ts';
import { within } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { childLog, type Logger } from '../base/log.ts';
import type { Balancer, BalancerOptions } from '../balancer/index.ts';
import type {
  BalancerMode,
  BalancerReport,
  DoctorFinding,
  EndpointsSource,
  MeshPortRef,
} from '../model/index.ts';
import { engineView } from './engine-view.ts';
import type { MemberNode } from './host-node.ts';
import type { LocalEngine } from './local-engine.ts';
import { WorkerSource } from './worker-source.ts';

export interface BalancerRunOptions {
  readonly mode: BalancerOptions['mode'];
  readonly engine: LocalEngine;
  /** Where a worker's balancer remembers what it was told. */
  readonly memory: string;
  readonly times: Times;
  readonly log: Logger;
  readonly createBalancer: (options: BalancerOptions) => Promise<Balancer>;
  /** Told with each report who balances. */
  readonly onMode: (mode: BalancerMode) => void;
}

const RESTART_MS = 1_000;
const EXAMINE_MS = 8_000;

/** What a balancer finds of its own host. */
export interface OwnFindings {
  readonly mode: BalancerMode;
  readonly findings: readonly DoctorFinding[];
}

/** A balancer that runs for a node, from now until `end`; one that fails is started again. */
export class BalancerRun {
  readonly kind: MemberNode['kind'];
  readonly #options: BalancerRunOptions;
  readonly #log: Logger;
  readonly #worker: WorkerSource | undefined;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #problems: readonly string[] = [];
  #balancer: Balancer | undefined;

  constructor(node: MemberNode, options: BalancerRunOptions) {
    const { memory, times, log } = options;
    this.kind = node.kind;
    this.#options = options;
    this.#log = childLog(log, 'balancer');
    if (node.kind === 'worker') {
      this.#worker = new WorkerSource({ ...node, memory, times, log: this.#log });
      this.#ended = this.#run(node.place.nodeId, this.#worker.source);
    } else this.#ended = this.#run(node.nodeId, node.endpoints.sourceOf(node.nodeId));
  }

  /** What its users should know. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** What is known of the node now, of which only a worker's can change. */
  update(node: MemberNode): void {
    if (node.kind === 'worker') this.#worker?.update(node.place, node.certificate);
  }

  /** The kernel was left alone. */
  untouched(): void {
    this.#worker?.untouched();
  }

  /**
   * Has it look at its host: for a service, by id or name, or '' for the node alone. Undefined where none runs at the moment;
   * throws `not-found` for a service that it has not been told of, `timeout` after 8 s.
   */
  async examine(service: string): Promise<OwnFindings | undefined> {
    const balancer = this.#balancer;
    if (!balancer) return undefined;
    const { mode } = balancer;
    const id = service === '' || mode !== 'nftables' ? '' : balancer.serviceId(service);
    if (id === undefined)
      throw new SwarmError('not-found', `service ${service} not found among those that this node balances`);
    const looked = balancer.examine(id, this.#stop.signal);
    const found = await within(EXAMINE_MS, "this host's balancer", looked);
    const said = this.#problems.map((text): DoctorFinding => ({
      verdict: 'fault',
      subject: 'balancer',
      text,
    }));
    return { mode, findings: [...said, ...found] };
  }

  /** Stops it; what is in the kernel stays. */
  async end(): Promise<void> {
    this.#stop.abort(new Error('the balancer stops'));
    await this.#ended;
  }

  /** Never rejects. */
  async #run(nodeId: string, source: EndpointsSource): Promise<void> {
    const { createBalancer, engine, mode, times, log } = this.#options;
    const { signal } = this.#stop;
    const view = engineView(engine);
    const heard = this.#heard(source);
    this.#log.info({ node: nodeId, mode }, 'The balancer of this host has begun');
    while (!signal.aborted) {
      try {
        const balancer = await createBalancer({ nodeId, source: heard, engine: view, mode, times, log });
        this.#balancer = balancer;
        await balancer.run(signal);
      } catch (error) {
        const err = messageOf(error);
        if (!signal.aborted) this.#log.error({ err }, 'The balancer failed; it is started again');
      }
      this.#balancer = undefined;
      await times.pause(RESTART_MS, signal);
    }
  }

  /** Listens in on what the balancer says of itself. */
  #heard(source: EndpointsSource): EndpointsSource {
    return {
      watch: (signal, needs) => source.watch(signal, needs),
      answer: (questionId, findings) => source.answer(questionId, findings),
      report: (report) => {
        this.#see(report);
        return source.report(report);
      },
    };
  }

  #see({ mode, problems, takenPorts }: BalancerReport): void {
    const all = [...problems, ...takenPorts.map(takenWords)];
    for (const reason of all)
      if (!this.#problems.includes(reason))
        this.#log.warn({ reason }, 'This host does not balance as it should');
    this.#problems = all;
    this.#options.onMode(mode);
  }
}

function takenWords({ protocol, published }: MeshPortRef): string {
  const port = `published port ${published}/${protocol} is not answered by this host`;
  return `${port}: something on it listens there already; stop that, or publish another port`;
}
