import { SwarmError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { BalancerReport, DoctorFinding, DoctorQuestion } from '../model/index.ts';
import type { UpdateStream } from './update-stream.ts';

/** Questions that one balancer may have to answer at a time. */
const QUESTIONS_MAX = 32;

type Answer = readonly DoctorFinding[] | undefined;

/** A question that waits for its answer. */
export class Ask {
  readonly question: DoctorQuestion;
  readonly answer: Promise<Answer>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: SwarmError) => void;

  constructor(serviceId: string) {
    this.question = { id: newId(), serviceId };
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    promise.catch(() => undefined);
    this.answer = promise;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** One node's balancer, as it is known here. What it said outlives its streams. */
export class Follower {
  readonly nodeId: string;
  /** The one that is open. */
  stream: UpdateStream | undefined;
  report: BalancerReport | undefined;
  /** Tasks of its node that answer clients at their own address. */
  keeps: ReadonlySet<string> = new Set();
  /** It was waited for in vain, and has said nothing since. */
  isLate = false;
  readonly #asks = new Map<string, Ask>();

  constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  /** Whether it is to be waited for before a task stops. One that leaves the work to the engine, or does none, is not. */
  get isHeeded(): boolean {
    return (
      this.stream !== undefined &&
      !this.isLate &&
      (this.report === undefined || this.report.mode === 'nftables')
    );
  }

  /** Takes a stream in place of an older one. Questions without an answer are asked again in it. */
  follow(stream: UpdateStream, reason: Error): void {
    this.stream?.end.abort(reason);
    this.stream = stream;
    for (const { question } of this.#asks.values()) stream.question(question);
  }

  /** Throws `unavailable` where it has too many to answer. */
  ask(serviceId: string): Ask {
    if (this.#asks.size >= QUESTIONS_MAX)
      throw new SwarmError('unavailable', `node ${this.nodeId} has too many questions to answer`);
    const ask = new Ask(serviceId);
    this.#asks.set(ask.question.id, ask);
    this.stream?.question(ask.question);
    return ask;
  }

  /** Nobody waits for it any more. */
  drop({ question: { id } }: Ask): void {
    this.#asks.delete(id);
    this.stream?.dropQuestion(id);
  }

  answer(questionId: string, findings: readonly DoctorFinding[]): void {
    this.#asks.get(questionId)?.resolve(findings);
  }

  /** The node is gone, or nothing is told any more. */
  end(reason: Error): void {
    this.stream?.end.abort(reason);
    this.stream = undefined;
    for (const { resolve } of this.#asks.values()) resolve(undefined);
  }
}
