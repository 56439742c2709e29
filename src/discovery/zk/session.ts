import { backoffMs, orAborted, pause } from '../../base/async.ts';
import { messageOf, SwarmError } from '../../base/errors.ts';
import type { JuteWriter } from './jute.ts';
import type { Answer, Link } from './link.ts';
import { openLink } from './open-link.ts';
import { NO_SESSION, zkTrouble } from './protocol.ts';

export interface SessionOptions {
  endpoints: readonly string[];
  /** The session time asked for; the server may grant another. */
  timeoutMs: number;
  /** Whether a lost connection is made again by itself: what the session owns lives only as long as it is kept. */
  keep: boolean;
}

/** Expired, or moved: the connection is of no more use. */
const SESSION_IS_LOST: readonly number[] = [-112, -118];
const CLOSED = 'the discovery is closed';
const OPEN_MS = 5_000;
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [100, 3_000];

/** An answer, and when what it said may have changed. */
export interface Watched {
  answer: Answer;
  /** Resolves at the next event; rejects with `unavailable` when the connection, and with it the watch, is gone. */
  changed: Promise<void>;
}

/**
 * A ZooKeeper session: one connection at a time, to any of the servers, made when it is needed. When the session has
 * expired the next connection begins a new one, with another id.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #closing = new AbortController();
  #ticket = NO_SESSION;
  #link: Link | undefined;
  #opening: Promise<Link> | undefined;
  #reopening = false;
  /** Where to begin; servers share the load because each client begins elsewhere. */
  #nextEndpoint: number;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#nextEndpoint = Math.floor(Math.random() * options.endpoints.length);
  }

  /** The session's id; 0 before the first connection. */
  get id(): bigint {
    return this.#ticket.id;
  }

  /** The session time that the server grants. */
  async grantedMs(signal: AbortSignal): Promise<number> {
    return (await this.#connected(signal)).grantedMs;
  }

  /** One request. Rejects with `unavailable` when no server answers; what became of the request is then not known. */
  async request(op: number, write: (record: JuteWriter) => JuteWriter, signal: AbortSignal): Promise<Answer> {
    const link = await this.#connected(signal);
    return this.#checked(link, await orAborted(link.request(op, write), signal));
  }

  /** A request that leaves a watch at `path`. The watch is dropped when the signal fires. */
  async watch(
    op: number,
    path: string,
    write: (record: JuteWriter) => JuteWriter,
    signal: AbortSignal,
  ): Promise<Watched> {
    const link = await this.#connected(signal);
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const forget = link.watch(path, wake);
    signal.addEventListener('abort', wake, { once: true });
    const changed = promise.then(() => {
      forget();
      signal.removeEventListener('abort', wake);
      if (link.ended && !signal.aborted) throw new SwarmError('unavailable', link.whyEnded);
    });
    changed.catch(() => undefined); // for callers that never come to wait for it
    try {
      const answer = this.#checked(link, await orAborted(link.request(op, write), signal));
      return { answer, changed };
    } catch (error) {
      resolve();
      throw error;
    }
  }

  /** Ends the connection for good. `expire`: what the session owns goes at once, else when its time is over. */
  close(expire: boolean): void {
    this.#closing.abort();
    if (expire) this.#link?.closeSession();
    else this.#link?.end(' was left');
  }

  /** Codes below -100 are answers, of which some decide; those above are the server's trouble. */
  #checked(link: Link, answer: Answer): Answer {
    const { code } = answer;
    if (SESSION_IS_LOST.includes(code)) link.end(' ended the session');
    if (SESSION_IS_LOST.includes(code) || (code < 0 && code > -100)) throw zkTrouble(code, 'request');
    return answer;
  }

  get #alive(): Link | undefined {
    return this.#link?.ended === false ? this.#link : undefined;
  }

  async #connected(signal: AbortSignal): Promise<Link> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw new SwarmError('unavailable', CLOSED);
    if (this.#alive) return this.#alive;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return orAborted(this.#opening, signal);
  }

  /** Tries each server once. */
  async #open(): Promise<Link> {
    const { endpoints, timeoutMs } = this.#options;
    const { signal } = this.#closing;
    // A session must find another server before its time is over.
    const openMs = Math.max(500, Math.min(OPEN_MS, timeoutMs) / endpoints.length);
    const failures = new Map<string, string>();
    for (let tries = 0; tries < endpoints.length && !signal.aborted;) {
      const endpoint = endpoints[this.#nextEndpoint % endpoints.length] ?? '';
      const ticket = this.#ticket;
      const onEnd = (): void => this.#lost();
      try {
        const link = await openLink({ endpoint, ticket, timeoutMs, openMs, onEnd }, signal);
        if (signal.aborted) link?.end(' was left');
        if (signal.aborted) break;
        if (link) {
          this.#link = link;
          this.#ticket = link.ticket;
          return link;
        }
        // Expired; the same server is asked again, for a new session. It can't refuse that as expired.
        if (ticket.id === 0n) failures.set(endpoint, `ZooKeeper at ${endpoint} grants no session`);
        this.#ticket = NO_SESSION;
        if (ticket.id !== 0n) continue;
      } catch (error) {
        failures.set(endpoint, messageOf(error));
      }
      this.#nextEndpoint += 1;
      tries += 1;
    }
    // In the order they were given, wherever we began: the same trouble has the same words.
    const told = endpoints.flatMap((endpoint) => failures.get(endpoint) ?? []);
    throw new SwarmError('unavailable', signal.aborted ? CLOSED : told.join('; '));
  }

  #lost(): void {
    if (this.#options.keep) void this.#reopen();
  }

  /** Connects again until it works: the session's time runs. */
  async #reopen(): Promise<void> {
    if (this.#reopening) return;
    this.#reopening = true;
    const { signal } = this.#closing;
    for (let tries = 0; !signal.aborted && !this.#alive; tries++) {
      // Before the first try as well: a server that greets and closes at once must not be met without a pause.
      await pause(backoffMs(tries, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random), signal);
      if (!this.#alive) await this.#connected(signal).catch(() => undefined);
    }
    this.#reopening = false;
  }
}
