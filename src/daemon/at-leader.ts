import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { readBody, type ApiCall } from '../docker-api/index.ts';
import { relayedHeaders } from '../engine/index.ts';
import { reached, type Leader } from '../store/index.ts';
import { LeaderRequestError } from '../swarmkit/index.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import type { PeerRequest } from './manager-peers.ts';

/** With an answer of the leader's: the revision of its state when it answered. */
export const REVISION_HEADER = 'skep-revision';
/** With an answer of a manager that does not lead to what was passed on: nothing was done. */
export const NOT_LEADER_HEADER = 'skep-not-leader';

export interface AtLeaderOptions {
  readonly times: Times;
  /** Sends a request to another manager. Rejects with a LeaderRequestError. */
  readonly send: (leader: Leader, request: PeerRequest, signal: AbortSignal) => Promise<IncomingMessage>;
}

/** How long a request waits for a leader. */
const LEADER_WAIT_MS = 10_000;
const LOOK_MS = 50;
/** How long an answer waits until this manager's own copy of the state has come as far as the leader's. */
const CATCH_UP_MS = 3_000;
const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
/** Docker's words. */
const NO_LEADER =
  "The swarm does not have a leader. It's possible that too few managers are online. " +
  'Make sure more than half of the managers are online.';

interface OwnRequest {
  readonly method: string;
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** Passes requests on to the manager that leads. */
export class AtLeader {
  readonly #options: AtLeaderOptions;

  constructor(options: AtLeaderOptions) {
    this.#options = options;
  }

  /** Has the leader answer a call, as its client made it. Throws what keeps a leader from answering. */
  async pass(call: ApiCall, swarm: ManagedSwarm, target: string): Promise<void> {
    const body = call.method === 'GET' || call.method === 'HEAD' ? undefined : await readBody(call.req);
    const headers = ownHeaders(call.req.headers);
    const request = { method: call.method, path: target, headers, ...(body ? { body } : {}) };
    const answer = await this.#send(swarm, request, call.signal);
    await this.#caughtUp(answer, swarm, call.signal);
    call.res.writeHead(answer.statusCode ?? 502, relayedHeaders(answer.headers));
    await pipeline(answer, call.res).catch(() => undefined); // either end is gone
  }

  /** A request of our own. Every status is a value. */
  async json(
    swarm: ManagedSwarm,
    request: OwnRequest,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly value: unknown }> {
    const answer = await this.stream(swarm, request, signal);
    const text = (await readBody(answer, ANSWER_MAX_BYTES)).toString('utf8');
    await this.#caughtUp(answer, swarm, signal);
    return { status: answer.statusCode ?? 502, value: text === '' ? undefined : JSON.parse(text) };
  }

  /** The same with the answer as it comes, to be read or destroyed; the signal cuts it. */
  stream(
    swarm: ManagedSwarm,
    { method, path, body }: OwnRequest,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const content = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) };
    const headers: PeerRequest['headers'] = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.#send(swarm, { method, path, headers, ...content }, signal);
  }

  /** Sent again is only what has certainly done nothing. To this host itself, too, where it has begun to lead meanwhile. */
  async #send(swarm: ManagedSwarm, request: PeerRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { times, send } = this.#options;
    const untilMs = times.nowMs() + LEADER_WAIT_MS;
    let reason = '';
    while (times.nowMs() < untilMs && !signal.aborted) {
      const { manager, state } = swarm;
      const { leader } = manager;
      if (state.trouble !== undefined) throw new SwarmError('no-manager', state.trouble);
      if (leader)
        try {
          const answer = await send(leader, request, signal);
          if (answer.headers[NOT_LEADER_HEADER] === undefined) return answer;
          answer.resume();
        } catch (error) {
          const isSafe = request.method === 'GET' || request.method === 'HEAD';
          if (!isSafe && (!(error instanceof LeaderRequestError) || error.isSent))
            throw new SwarmError(
              'internal',
              `the leader of the swarm did not answer, and may have done what was asked: ${messageOf(error)}`,
              { cause: error },
            );
          reason = ` (${messageOf(error)})`;
        }
      await times.pause(LOOK_MS, signal);
    }
    // Docker's status of this is 500.
    throw new SwarmError('internal', `rpc error: code = Unknown desc = ${NO_LEADER}${reason}`);
  }

  /** A client reads what it wrote. */
  async #caughtUp(answer: IncomingMessage, { store }: ManagedSwarm, signal: AbortSignal): Promise<void> {
    const revision = Number(answer.headers[REVISION_HEADER] ?? 0);
    if (store.view.revision >= revision) return;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    void this.#options.times.pause(CATCH_UP_MS, until).then(() => over.abort());
    await reached(store, revision, until);
    over.abort();
  }
}

/** What the client said, without what was meant for its connection alone. */
function ownHeaders(headers: IncomingHttpHeaders): PeerRequest['headers'] {
  const kept = Object.entries(relayedHeaders(headers));
  return Object.fromEntries(kept.filter(([name]) => name !== 'content-length' && name !== 'expect'));
}
