import type { Socket } from 'node:net';
import { SwarmError } from '../../base/errors.ts';
import { JuteReader, JuteWriter } from './jute.ts';
import { OP, XID, type SessionTicket } from './protocol.ts';

/** An answer: its code, and what follows it where the code is ok. */
export interface Answer {
  code: number;
  body: JuteReader;
}

export interface LinkOptions {
  /** `host:port` or `[v6]:port`. */
  endpoint: string;
  ticket: SessionTicket;
  /** The session time asked for. */
  timeoutMs: number;
  /** How long connection and greeting may take. */
  openMs: number;
  /** The connection is over, for this reason; told once, and only of a link that was open. */
  onEnd: (error: SwarmError) => void;
}

/** How long one answer may take: ZooKeeper gives them in order, so a late one means that the server hangs. */
const ANSWER_MS = 5_000;
const SUSPECT_MS = 100;
/** Whatever a server grants. */
const MIN_BEAT_MS = 20;
/** Far more than our callers ever have under way; the bound of the queue. */
const MAX_PENDING = 4_096;

interface Pending {
  xid: number;
  deadline: number;
  resolve: (answer: Answer) => void;
  reject: (error: SwarmError) => void;
}

/**
 * One connection to one server. It keeps the session alive while it lasts, and ends by itself when the server falls
 * silent; everything that waits for it is then rejected.
 */
export class Link {
  readonly ticket: SessionTicket;
  /** The session time that the server grants. */
  readonly grantedMs: number;
  readonly #socket: Socket;
  readonly #endpoint: string;
  readonly #onEnd: (error: SwarmError) => void;
  readonly #pending: Pending[] = [];
  /** Who waits for a change at a path. */
  readonly #watchers = new Map<string, Set<() => void>>();
  #lastHeard = performance.now();
  #lastSent = performance.now();
  /** The server looked silent at the last beat. */
  #suspect = false;
  #lastXid = 0;
  #ended: SwarmError | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    socket: Socket,
    greeting: { ticket: SessionTicket; grantedMs: number },
    { endpoint, onEnd }: LinkOptions,
  ) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#onEnd = onEnd;
    this.ticket = greeting.ticket;
    this.grantedMs = greeting.grantedMs;
    this.#beat();
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  get whyEnded(): string {
    return this.#ended?.message ?? '';
  }

  /** Sends a request; `write` adds its record. Rejects with `unavailable` when the link ends before the answer. */
  request(op: number, write: (record: JuteWriter) => JuteWriter): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#pending.length >= MAX_PENDING)
      return Promise.reject(new SwarmError('unavailable', 'ZooKeeper: too many requests under way'));
    this.#lastXid = (this.#lastXid % 0x7fff_ffff) + 1;
    const xid = this.#lastXid;
    this.#send(write(new JuteWriter().int(xid).int(op)).frame());
    return new Promise((resolve, reject) => {
      this.#pending.push({
        xid,
        deadline: performance.now() + Math.min(ANSWER_MS, this.#silenceMs),
        resolve,
        reject,
      });
      this.#beat();
    });
  }

  /** Calls `changed` once, at the next event of this path or when the link ends. Gives what takes that back. */
  watch(path: string, changed: () => void): () => void {
    const waiting = this.#watchers.get(path) ?? new Set();
    this.#watchers.set(path, waiting.add(changed));
    return () => {
      waiting.delete(changed);
      if (waiting.size === 0 && this.#watchers.get(path) === waiting) this.#watchers.delete(path);
    };
  }

  /** Tells the server that the session is over: its ephemeral nodes go at once. */
  closeSession(): void {
    if (this.#ended) return;
    this.#send(new JuteWriter().int(0).int(OP.closeSession).frame());
    this.#socket.destroySoon();
    this.#end(' was left');
  }

  /** Ends the connection; the session lives on for its time. */
  end(why: string): void {
    this.#socket.destroy();
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#ended) return;
    const error = new SwarmError('unavailable', `ZooKeeper at ${this.#endpoint}${why}`);
    this.#ended = error;
    clearTimeout(this.#timer);
    for (const { reject } of this.#pending.splice(0)) reject(error);
    const waiting = [...this.#watchers.values()].flatMap((set) => [...set]);
    this.#watchers.clear();
    for (const changed of waiting) changed();
    this.#onEnd(error);
  }

  /** A whole frame from the server. Throws where it is garbage. */
  receive(frame: Buffer): void {
    this.#lastHeard = performance.now();
    const body = new JuteReader(frame);
    const xid = body.int();
    body.long();
    const code = body.int();
    if (xid === XID.ping) return;
    if (xid === XID.watchEvent) {
      this.#changed(body.skip(8).text());
      return;
    }
    const next = this.#pending.shift();
    if (next?.xid !== xid) {
      if (next) this.#pending.unshift(next);
      throw new SwarmError('unavailable', 'an answer that is not what was asked for');
    }
    next.resolve({ code, body });
  }

  #changed(path: string): void {
    const waiting = this.#watchers.get(path);
    this.#watchers.delete(path);
    for (const changed of waiting ?? []) changed();
  }

  /** Looks whether the server still speaks, asks it to where it has been quiet, and comes again. */
  #beat(): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    const now = performance.now();
    const late = (this.#pending[0]?.deadline ?? Infinity) <= now;
    const silent = late || now - this.#lastHeard >= this.#silenceMs;
    if (silent && this.#suspect) {
      this.end(' does not answer');
      return;
    }
    // Where this process was held up, the answer may lie unread: it gets one more moment.
    this.#suspect = silent;
    // What keeps the session is what we send, not what we hear.
    if (now - this.#lastSent >= this.grantedMs / 6) this.#send(PING);
    const nextMs = Math.min(this.grantedMs / 3, (this.#pending[0]?.deadline ?? Infinity) - now);
    this.#timer = setTimeout(() => this.#beat(), silent ? SUSPECT_MS : Math.max(MIN_BEAT_MS, nextMs));
  }

  /** After this the session may still be saved by another server. */
  get #silenceMs(): number {
    return (this.grantedMs * 2) / 3;
  }

  #send(frame: Buffer): void {
    this.#lastSent = performance.now();
    this.#socket.write(frame);
  }
}

const PING = new JuteWriter().int(XID.ping).int(OP.ping).frame();
