import { Code, ConnectError } from '@connectrpc/connect';
import { backoffMs } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type {
  BalancerReport,
  DoctorFinding,
  EndpointsNeeds,
  EndpointsSource,
  EndpointsUpdate,
} from '../model/index.ts';
import type { SwarmCredentials } from '../swarmkit/index.ts';
import { linkTo, type LinkTimes } from './client-link.ts';
import { Outbox } from './client-outbox.ts';
import { wholeUpdates } from './client-parts.ts';
import { ManagerTurns } from './client-turns.ts';
import { updateFromWire, versionOf } from './client-wire.ts';
import { isReplaced } from './ends.ts';

/** Where a worker's balancer finds its managers. */
export interface RemoteOptions {
  /** `host:port` of those that are known now; asked before each attempt. */
  readonly managers: () => readonly string[];
  /** What the node proves itself with, read anew for each connection. May throw, in words. */
  readonly credentials: () => SwarmCredentials;
  readonly clock: Clock;
  /** Of [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly linkTimes?: LinkTimes;
}

/** The managers over the swarm's port. One watch at a time. */
export interface RemoteEndpoints extends EndpointsSource {
  /** Has the connection made anew: the node's certificate is another one. */
  reconnect(): void;
}

/** A first attempt to connect that gets lost is made anew by the kernel after 1 s; a wrong guess costs one connection. */
const LINK_TIMES: LinkTimes = { connectMs: 2_500, firstUpdateMs: 10_000, pingMs: 3_000, pingAnswerMs: 3_000 };
const FIRST_RETRY_MS = 200;
/** SwarmKit's agents wait no longer either. */
const LAST_RETRY_MS = 8_000;
const LOOK_AGAIN_MS = 5_000;
/** Between turns with another that has this node's certificate; one that has not come back for longer is gone. */
const RIVAL_FIRST_MS = 5_000;
const RIVAL_LAST_MS = 5 * 60_000;
const RIVAL_GONE_MS = 30 * 60_000;
/** Of managers that fail in turns, each in its own way. */
const REASONS_MAX = 8;

/** Where a worker's balancer learns what to do: from whichever manager answers, over gRPC with mutual TLS. */
export function connectEndpoints(options: RemoteOptions): RemoteEndpoints {
  return new RemoteSource(options);
}

class RemoteSource implements RemoteEndpoints {
  readonly #options: RemoteOptions;
  readonly #outbox: Outbox;
  readonly #turns: ManagerTurns;
  /** The version of the last update that was given. */
  #version = 0;
  #link = new AbortController();
  /** Why no manager tells anything, as far as that was logged. */
  readonly #said = new Set<string>();

  constructor(options: RemoteOptions) {
    const { clock, random, log } = options;
    this.#options = options;
    this.#outbox = new Outbox(clock, random, log);
    this.#turns = new ManagerTurns(clock, random);
  }

  async *watch(
    signal: AbortSignal,
    needs: EndpointsNeeds = 'all',
  ): AsyncGenerator<EndpointsUpdate, void, undefined> {
    const { clock, random, managers } = this.#options;
    let rivals = 0;
    for (let failures = 0; !signal.aborted;) {
      const addr = this.#turns.next(managers());
      if (addr === undefined) {
        await clock.pause(LOOK_AGAIN_MS, signal);
        continue;
      }
      this.#link = new AbortController();
      const link = this.#link;
      const beganMs = clock.nowMs();
      try {
        for await (const update of this.#follow(addr, link, needs, signal)) {
          failures = 0;
          yield update;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (link.signal.reason === RENEWED) continue;
        if (isReplaced(error)) {
          if (clock.nowMs() - beganMs > RIVAL_GONE_MS) rivals = 0;
          await this.#yieldTo(rivals++, signal);
          continue;
        }
        this.#note(addr, error);
      }
      await clock.pause(backoffMs(failures++, FIRST_RETRY_MS, LAST_RETRY_MS, random), signal);
    }
  }

  /** Two that always took the stream from one another would both learn nothing else. */
  #yieldTo(rivals: number, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    if (this.#isNews(RIVAL)) log.warn(RIVAL);
    return clock.pause(backoffMs(rivals, RIVAL_FIRST_MS, RIVAL_LAST_MS, random), signal);
  }

  report(report: BalancerReport): Promise<void> {
    this.#outbox.report(report);
    return Promise.resolve();
  }

  answer(questionId: string, findings: readonly DoctorFinding[]): Promise<void> {
    this.#outbox.answer(questionId, findings);
    return Promise.resolve();
  }

  reconnect(): void {
    this.#turns.forgetUnaware();
    this.#link.abort(RENEWED);
  }

  /** What one manager says over one connection, under versions that go on from those before. Ends by throwing. */
  async *#follow(
    addr: string,
    link: AbortController,
    needs: EndpointsNeeds,
    signal: AbortSignal,
  ): AsyncGenerator<EndpointsUpdate, void, undefined> {
    const { credentials, linkTimes = LINK_TIMES, log } = this.#options;
    const connection = linkTo(addr, credentials(), linkTimes);
    const ended = AbortSignal.any([link.signal, signal]);
    const late = setTimeout(() => link.abort(NO_ANSWER), linkTimes.firstUpdateMs);
    const before = this.#version;
    let firstAt: number | undefined;
    let lastAt = 0;
    let sending: Promise<void> | undefined;
    const request = { questionsOnly: needs === 'questions' };
    const versionAt = (own: number): number =>
      own <= before || firstAt === undefined ? 0 : own - before - 1 + firstAt;
    try {
      for await (const message of wholeUpdates(connection.client.watch(request, { signal: ended }))) {
        clearTimeout(late);
        const at = versionOf(message);
        if (firstAt === undefined) {
          if (!message.full) throw new ConnectError('the first update is not everything', Code.Internal);
          firstAt = at;
          this.#forgetSaid();
          log.info({ addr }, 'A manager tells what to balance');
        } else if (at < lastAt) throw new ConnectError('the versions of updates go back', Code.Internal);
        lastAt = at;
        this.#version = before + 1 + at - firstAt;
        sending ??= this.#outbox
          .send(connection, versionAt, ended)
          .finally(() => link.abort(new Error('it takes no reports')));
        yield updateFromWire(message, this.#version);
      }
      throw ENDED;
    } catch (error) {
      // An abort of ours shows as a cancelled call: its reason says more.
      if (link.signal.aborted && !signal.aborted) throw link.signal.reason;
      if (connection.isSilent) throw firstAt === undefined ? NO_ANSWER : FELL_SILENT;
      // HTTP/2 has many words for a manager that went away.
      throw firstAt !== undefined && isLoss(error) && !isReplaced(error) ? ENDED : error;
    } finally {
      clearTimeout(late);
      link.abort();
      connection.close();
      await sending;
    }
  }

  #note(addr: string, error: unknown): void {
    const { log } = this.#options;
    if (error instanceof ConnectError && error.code === Code.Unimplemented) {
      this.#turns.setUnaware(addr);
      if (this.#isNews(UNAWARE)) log.warn({ addr }, UNAWARE);
      return;
    }
    this.#turns.failed(addr, error === NO_ANSWER || error === FELL_SILENT);
    const reason = error instanceof ConnectError ? error.rawMessage : messageOf(error);
    // A manager that restarts is back at once, and where one is lost the next one may tell.
    if (error !== ENDED && error !== FELL_SILENT && this.#isNews(reason))
      log.warn({ addr, reason }, 'No manager tells what to balance; what is known goes on');
    else log.debug({ addr, reason }, 'A manager does not tell what to balance');
  }

  /** Whoever takes turns with another is answered each time. */
  #forgetSaid(): void {
    const hasRival = this.#said.has(RIVAL);
    this.#said.clear();
    if (hasRival) this.#said.add(RIVAL);
  }

  /** Whether something is said the first time since a manager told what to balance. */
  #isNews(reason: string): boolean {
    const isNews = !this.#said.has(reason) && this.#said.size < REASONS_MAX;
    if (isNews) this.#said.add(reason);
    return isNews;
  }
}

/** Whether a call ended without its manager's will. */
function isLoss(error: unknown): boolean {
  return error instanceof ConnectError && LOSSES.has(error.code);
}

const LOSSES: ReadonlySet<Code> = new Set([Code.Canceled, Code.Aborted, Code.Unavailable, Code.Unknown]);
/** Why a connection is given up that is well. */
const RENEWED = new Error('the certificate of this node was renewed');
const NO_ANSWER = new Error('it does not answer');
const FELL_SILENT = new Error('it does not answer any more');
const ENDED = new ConnectError('the connection has ended', Code.Unavailable);
const RIVAL =
  "Another swarmd follows the managers with this node's certificate: is one of the hosts a copy of the other? Have the copy " +
  'leave the swarm and join it anew. Until then each of the two hears of changes in turns, minutes late';
const UNAWARE =
  "The managers of this swarm are Docker's own and know nothing of balancing: this host's virtual IPs and published ports are its engine's work";
