import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import {
  Endpoints as EndpointsService,
  type AnswerRequest,
  type ReportRequest,
  type Update,
  type WatchRequest,
} from '../../proto/generated/skep/endpoints_pb.js';
import { orAborted } from '../base/async.ts';
import { Bell } from '../base/bell.ts';
import { SwarmError } from '../base/errors.ts';
import type {
  BalancerReport,
  DoctorFinding,
  EndpointsNeeds,
  EndpointsSource,
  EndpointsUpdate,
  StopGate,
  Task,
} from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { requireNode, whileRead } from '../swarmkit/index.ts';
import { boundedFindings } from './bounded-report.ts';
import { STOPPED, UNREAD } from './ends.ts';
import { findingsFromWire, reportFromWire } from './from-wire.ts';
import { LiveEndpoints } from './live.ts';
import { updateToWire } from './to-wire.ts';
import type { Endpoints, EndpointsOptions, EndpointsWaits } from './types.ts';
import type { UpdateStream } from './update-stream.ts';

const WAITS: EndpointsWaits = { stopMaxMs: 3_000, lingerMs: 200, answerMs: 20_000, unreadMs: 30_000 };
/** How long changes are gathered after an update, before the next. */
const GATHER_MS = 20;
/** Before the balancer of this host follows again when another took its place. */
const AGAIN_MS = 5_000;

type FreedListener = Parameters<StopGate['onMayStop']>[0];

/** Who answers for which service, told to every node's balancer. It holds nothing that a restart would lose. */
export function createEndpoints(context: LoopContext, options: EndpointsOptions = {}): Endpoints {
  return new SwarmEndpoints(context, options);
}

class SwarmEndpoints implements Endpoints {
  readonly #context: LoopContext;
  readonly #waits: EndpointsWaits;
  readonly #freedListeners = new Set<FreedListener>();
  /** Of those that wait for it to run. */
  readonly #bells = new Set<Bell>();
  /** While it runs. */
  #live: LiveEndpoints | undefined;

  constructor(context: LoopContext, options: EndpointsOptions) {
    this.#context = context;
    this.#waits = { ...WAITS, ...options.waits };
  }

  routes(router: ConnectRouter): void {
    router.service(EndpointsService, {
      watch: (request, call) => this.#watch(request, call),
      report: (request, call) => this.#report(request, call),
      answer: (request, call) => this.#answer(request, call),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const live = new LiveEndpoints(this.#context, this.#waits, (task) => {
      for (const listener of this.#freedListeners) listener(task);
    });
    try {
      await live.run(signal, () => {
        this.#live = live;
        for (const bell of this.#bells) bell.ring();
      });
    } finally {
      this.#live = undefined;
      live.followers.end(STOPPED());
    }
  }

  mayStop({ id }: Task): boolean {
    return !this.#live?.holds(id);
  }

  onMayStop(listener: FreedListener): () => void {
    this.#freedListeners.add(listener);
    return () => void this.#freedListeners.delete(listener);
  }

  reportOf(nodeId: string): BalancerReport | undefined {
    const follower = this.#live?.followers.get(nodeId);
    return follower?.stream && follower.report;
  }

  async ask(
    nodeId: string,
    serviceId: string,
    signal: AbortSignal,
  ): Promise<readonly DoctorFinding[] | undefined> {
    const live = this.#live;
    const follower = live?.followers.get(nodeId);
    if (!live || !follower?.stream) return undefined;
    const ask = follower.ask(serviceId);
    const { answerMs } = this.#waits;
    const late = (): void =>
      ask.reject(new SwarmError('timeout', `node ${nodeId} did not answer within ${answerMs} ms`));
    live.alarms.set(late, answerMs);
    try {
      return await orAborted(ask.answer, signal);
    } finally {
      live.alarms.clear(late);
      follower.drop(ask);
    }
  }

  sourceOf(nodeId: string): EndpointsSource {
    return {
      watch: (signal, needs = 'all') => this.#watchHere(nodeId, needs, signal),
      report: async (report) => this.#live?.report(nodeId, report),
      answer: async (questionId, findings) =>
        this.#live?.followers.get(nodeId)?.answer(questionId, boundedFindings(findings)),
    };
  }

  /** Throws as long as it does not run. */
  #running(): LiveEndpoints {
    if (!this.#live) throw STOPPED();
    return this.#live;
  }

  #caller(call: HandlerContext): string {
    return requireNode(call, this.#context.store.view).id;
  }

  async *#watch({ questionsOnly }: WatchRequest, call: HandlerContext): AsyncGenerator<Update> {
    const live = this.#running();
    const nodeId = this.#caller(call);
    const stream = live.follow(nodeId, questionsOnly ? 'questions' : 'all');
    if (!stream) return;
    const giveUp = (): void => {
      this.#context.log.warn({ node: nodeId }, 'a balancer does not read what it is sent');
      stream.end.abort(UNREAD());
    };
    const left = (unread: boolean): void =>
      unread ? live.alarms.set(giveUp, this.#waits.unreadMs) : live.alarms.clear(giveUp);
    const signal = AbortSignal.any([stream.end.signal, call.signal]);
    yield* whileRead(this.#messages(live, stream, signal), left, signal, call.signal);
  }

  async #report(request: ReportRequest, call: HandlerContext): Promise<Record<string, never>> {
    this.#running().report(this.#caller(call), reportFromWire(request));
    return {};
  }

  async #answer(request: AnswerRequest, call: HandlerContext): Promise<Record<string, never>> {
    const follower = this.#running().followers.get(this.#caller(call));
    follower?.answer(request.questionId, boundedFindings(findingsFromWire(request)));
    return {};
  }

  async *#messages(live: LiveEndpoints, stream: UpdateStream, signal: AbortSignal): AsyncGenerator<Update> {
    for await (const update of this.#updates(live, stream, signal)) yield* updateToWire(update);
  }

  /** Outlives stops and new starts of what it follows. */
  async *#watchHere(
    nodeId: string,
    needs: EndpointsNeeds,
    signal: AbortSignal,
  ): AsyncGenerator<EndpointsUpdate> {
    const bell = new Bell();
    this.#bells.add(bell);
    try {
      while (!signal.aborted) {
        const live = this.#live;
        const stream = live?.follow(nodeId, needs);
        if (live && stream) yield* this.#updates(live, stream, AbortSignal.any([stream.end.signal, signal]));
        if (this.#live) await this.#context.times.pause(AGAIN_MS, signal);
        else await bell.heard(signal);
      }
    } finally {
      this.#bells.delete(bell);
    }
  }

  /** Everything, then what changes. Ends with the signal. */
  async *#updates(
    live: LiveEndpoints,
    stream: UpdateStream,
    signal: AbortSignal,
  ): AsyncGenerator<EndpointsUpdate> {
    const { times } = this.#context;
    const closed = (): void => live.followers.close(stream);
    // A call that is cut off is not always resumed.
    signal.addEventListener('abort', closed, { once: true });
    try {
      let sentAtMs = -Infinity;
      while (await stream.changed.heard(signal)) {
        const waitMs = sentAtMs + GATHER_MS - times.nowMs();
        if (waitMs > 0) await times.pause(waitMs, signal);
        if (signal.aborted) return;
        const update = stream.next();
        if (!update) continue;
        yield update;
        sentAtMs = times.nowMs();
      }
    } finally {
      closed();
    }
  }
}
