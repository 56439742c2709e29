import type { Logger } from 'pino';
import { pause } from '../../base/async.ts';
import { SwarmError } from '../../base/errors.ts';
import {
  relay,
  relayHijacked,
  relayedBody,
  relayedHeaders,
  type EngineTls,
  type RelayRequest,
} from '../../engine/index.ts';
import { readBody, type ApiCall } from '../../docker-api/index.ts';
import type { Leadership } from './leadership.ts';
import { PrimaryLink, wordsOf } from './primary-link.ts';

export interface ForwarderOptions {
  leadership: Leadership;
  /** What this manager announces; it marks the requests that it passes on. */
  advertise: string;
  /** How long a request waits for a primary; longer than the lease of one that has died. */
  patienceMs: number;
  /** Between managers; they speak TLS to one another where they do to clients. */
  tls: EngineTls | undefined;
  log: Logger;
}

/** On every request that a manager passes to another one; such a request is never passed on again. */
const FORWARDED_BY = 'skep-forwarded-by';
/** On the answer of a manager that was taken for the primary and is not; it has done nothing with the request. */
const NOT_PRIMARY = 'skep-not-primary';

/** What every manager answers by itself. */
const OWN = /^\/(_ping|info|metrics|debug)(\/|$)/;
/** What ends when the primary changes, so that its reader asks the new one. */
const EVENTS = /^\/events$/;
const RETRY_MS = 200;
/** How long requests wait for the next primary at a manager that stops. */
const HURRIED_MS = 2_000;
const MAX_WAITING = 1_000;
/** Bodies up to this length are kept, so that they can be sent again. */
const KEPT_BODY_BYTES = 256 * 1024;

type Body = RelayRequest['body'];

/** What came of one try to pass a request on. */
type Attempt = { kind: 'done' } | { kind: 'nothing-sent' };

/** Passes what clients ask of a replica on to the primary: streams, uploads and hijacked connections included. */
export class Forwarder {
  readonly #leadership: Leadership;
  readonly #advertise: string;
  #patienceMs: number;
  readonly #hurried = new AbortController();
  readonly #tls: EngineTls | undefined;
  readonly #log: Logger;
  readonly #links = new Map<string, PrimaryLink>();
  #current: PrimaryLink | undefined;
  #waiting = 0;

  constructor({ leadership, advertise, patienceMs, tls, log }: ForwarderOptions) {
    this.#leadership = leadership;
    this.#advertise = advertise;
    this.#patienceMs = patienceMs;
    this.#tls = tls;
    this.#log = log;
  }

  /**
   * True when the call has been passed on, or its client has left; false when it is for this manager to answer. Waits
   * a bounded time while there is no primary. Throws `unavailable` when none can be reached, before anything was sent
   * to the client.
   */
  async take(call: ApiCall): Promise<boolean> {
    if (this.#leadership.leads() || OWN.test(call.path) || call.method === 'OPTIONS') return false;
    if (call.req.headers[FORWARDED_BY] !== undefined) {
      call.res.setHeader(NOT_PRIMARY, 'true');
      throw unreachable(`${this.#advertise} was asked, and is not the primary`);
    }
    if (this.#waiting >= MAX_WAITING) throw unreachable('too many requests are waiting for it');
    this.#waiting += 1;
    let counted = true;
    const uncount = (): void => {
      if (counted) this.#waiting -= 1;
      counted = false;
    };
    try {
      return await this.#take(call, uncount);
    } finally {
      uncount();
    }
  }

  /** The manager stops: from here on nothing waits long. */
  hurry(): void {
    this.#patienceMs = Math.min(this.#patienceMs, HURRIED_MS);
    this.#hurried.abort(new Error('the manager stops'));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.client.close()));
    this.#links.clear();
  }

  async #take(call: ApiCall, sent: () => void): Promise<boolean> {
    const sinceMs = performance.now();
    let body: Body | undefined;
    for (;;) {
      if (call.signal.aborted) return true;
      const leads = this.#leadership.leads();
      if (leads && (body === undefined || body === null)) return false;
      // Who has read a body already and is the primary now hands it to itself.
      const link = this.#link(leads ? this.#advertise : this.#leadership.primary);
      if (link) {
        body ??= call.hijack ? null : await bodyOf(call);
        const attempt = call.hijack
          ? await this.#passHijacked(call, link, sent)
          : await this.#pass(call, link, body, sent);
        if (attempt.kind === 'done') return true;
      }
      const silentMs = Math.min(sinceMs, link?.silentSinceMs ?? Infinity);
      if (performance.now() - silentMs > this.#patienceMs)
        throw unreachable(
          link ? `${link.address}: ${link.reason || 'it is not the primary'}` : 'there is none',
        );
      const leftMs = this.#patienceMs - (performance.now() - sinceMs);
      const hurried = this.#hurried.signal;
      const wake = hurried.aborted ? call.signal : AbortSignal.any([call.signal, hurried]);
      await this.#change(wake, link ? RETRY_MS : leftMs);
    }
  }

  async #pass(call: ApiCall, link: PrimaryLink, body: Body, sent: () => void): Promise<Attempt> {
    const over = new AbortController();
    let begun = false;
    let declined = false;
    void this.#abandoned(link, EVENTS.test(call.path), over.signal).then(() => {
      if (EVENTS.test(call.path) || !call.res.headersSent) over.abort();
    });
    for (const name of call.res.getHeaderNames()) call.res.removeHeader(name);
    const headers = { ...relayedHeaders(call.req.headers), [FORWARDED_BY]: this.#advertise };
    const request = { method: call.method, path: targetOf(call), headers, body };
    try {
      await relay(link.client, request, call.res, {
        signal: over.signal,
        onSent: () => {
          begun = true;
          sent();
          link.reached();
        },
        declines: (_status, answered) => (declined = answered[NOT_PRIMARY] !== undefined),
      });
      call.dropUpload();
      return { kind: 'done' };
    } catch (error) {
      const again = declined || !begun || call.method === 'GET' || call.method === 'HEAD';
      if (!begun) link.failed(error);
      if (again && canSendAgain(body)) return { kind: 'nothing-sent' };
      throw unreachable(`${link.address}: ${declined ? 'it is not the primary any more' : wordsOf(error)}`);
    } finally {
      over.abort();
    }
  }

  async #passHijacked(call: ApiCall, link: PrimaryLink, sent: () => void): Promise<Attempt> {
    const { hijack } = call;
    if (!hijack) return { kind: 'nothing-sent' };
    const upstream = await link.client.connect(call.signal).catch((error: unknown) => {
      if (!call.signal.aborted) link.failed(error);
      return undefined;
    });
    if (!upstream) return { kind: 'nothing-sent' };
    link.reached();
    sent();
    if (hijack.socket.destroyed) {
      upstream.destroy();
      return { kind: 'done' };
    }
    call.res.detachSocket(call.req.socket);
    const rawHeaders = [...call.req.rawHeaders, FORWARDED_BY, this.#advertise];
    const via = { address: link.client.address, connect: () => Promise.resolve(upstream) };
    try {
      await relayHijacked(via, { method: call.method, rawHeaders, ...hijack }, targetOf(call));
      return { kind: 'done' };
    } catch {
      call.res.assignSocket(call.req.socket);
      throw unreachable(`${link.address} closed the connection`);
    }
  }

  /** The way to a primary; undefined while there is none. Those to former ones are kept for what still runs on them. */
  #link(address: string | undefined): PrimaryLink | undefined {
    if (address === undefined) return undefined;
    if (address === this.#current?.address) return this.#current;
    this.#current = this.#links.get(address) ?? new PrimaryLink(address, this.#tls, this.#log);
    this.#current.forgive();
    this.#links.set(address, this.#current);
    return this.#current;
  }

  /** Resolves when the primary is another one, and the former one does not answer any more or need not. */
  async #abandoned(link: PrimaryLink, atOnce: boolean, over: AbortSignal): Promise<void> {
    while (!over.aborted && this.#leadership.primary === link.address) await this.#change(over);
    if (!atOnce) await link.goneQuiet(over);
  }

  /** Waits for a change of the leadership, at most `ms`, or until the signal fires. */
  async #change(signal: AbortSignal, ms?: number): Promise<void> {
    const changed = new AbortController();
    const stop = this.#leadership.listen(() => changed.abort());
    const either = AbortSignal.any([signal, changed.signal]);
    // A lease that runs out is no event: it is looked at again now and then.
    await pause(Math.max(0, ms ?? 2 ** 30), either);
    stop();
  }
}

function targetOf(call: ApiCall): string {
  return (call.req.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '') || '/';
}

/** A small body is read whole, so that it can be sent more than once. */
async function bodyOf(call: ApiCall): Promise<Body> {
  const { headers } = call.req;
  const length = Number(headers['content-length'] ?? 0);
  if (headers['transfer-encoding'] !== undefined || length > KEPT_BODY_BYTES) return relayedBody(call.req);
  return length === 0 ? null : await readBody(call.req);
}

function canSendAgain(body: Body): boolean {
  if (body === null || typeof body === 'string' || Buffer.isBuffer(body)) return true;
  return !body.readableDidRead && !body.destroyed;
}

function unreachable(why: string): SwarmError {
  return new SwarmError('unavailable', `Unable to reach primary cluster manager: ${why}`);
}
