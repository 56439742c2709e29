import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';

const CLOSED = new Error('the connection was closed');

/** How soon a connection that carries nothing is found to be dead. */
export interface KeepaliveTimes {
  /** How long the other end's host may take for TCP; the kernel's two minutes when not given. */
  readonly connectMs?: number;
  /** While calls are under way the other end is pinged so often; servers end connections that ping more often than they like. */
  readonly pingMs: number;
  /** How long its answer may take. */
  readonly pingAnswerMs: number;
}

/**
 * One HTTP/2 connection for Connect's transport, made with the first request and never again. Connect's own session
 * manager throws into the process when a ping is not answered after its last stream has ended.
 */
export class Http2Session {
  readonly authority: string;
  readonly #options: ClientSessionOptions | SecureClientSessionOptions;
  readonly #times: KeepaliveTimes;
  readonly #unconnected = new AbortController();
  #session: ClientHttp2Session | undefined;
  #opened: Promise<ClientHttp2Session> | undefined;
  #isClosed = false;
  #isSilent = false;
  #streams = 0;

  constructor(
    authority: string,
    options: ClientSessionOptions | SecureClientSessionOptions,
    times: KeepaliveTimes,
  ) {
    this.authority = authority;
    this.#options = options;
    this.#times = times;
  }

  /** Whether it is of no use any more: closed, or told by the other end to go. */
  get isOver(): boolean {
    return this.#isClosed || this.#session?.closed === true || this.#session?.destroyed === true;
  }

  /** Whether it was given up because the other end did not answer. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Resolves when the connection stands; rejects where none comes about. */
  async open(): Promise<void> {
    await (this.#opened ??= this.#open());
  }

  /** Rejects where no connection comes about. */
  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: object,
  ): Promise<ClientHttp2Stream> {
    const session = await (this.#opened ??= this.#open());
    const stream = session.request({ ...headers, ':method': method, ':path': path }, options);
    this.#streams++;
    stream.once('close', () => this.#streams--);
    return stream;
  }

  notifyResponseByteRead(): void {
    // Pings say as much.
  }

  /** Ends it, and every call over it. */
  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  async #open(): Promise<ClientHttp2Session> {
    if (this.#isClosed) throw new Error('the connection is closed');
    const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>();
    const { signal } = this.#unconnected;
    const options = { ...this.#options, signal };
    const session = connect(this.authority, options);
    this.#session = session;
    // Whoever uses it hears of its end by its streams; an error without a listener would end the process.
    session.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    session.once('close', () => reject(CLOSED));
    session.once('goaway', () => (this.#isClosed = true));
    session.once('connect', () => resolve(session));
    this.#limitConnect(session);
    await promise;
    // The connection's window has to be as large as that of one call.
    const window = this.#options.settings?.initialWindowSize;
    if (window !== undefined) session.setLocalWindowSize(window);
    this.#keepAlive(session);
    return session;
  }

  #limitConnect(session: ClientHttp2Session): void {
    const { connectMs } = this.#times;
    if (connectMs === undefined) return;
    const cancel = whenUnheard(connectMs, () => this.#giveUp('it does not answer'));
    session.socket.once('connect', cancel);
    session.once('close', cancel);
  }

  #giveUp(reason: string): void {
    this.#isSilent = true;
    this.#end(new Error(reason));
  }

  /** A session that is destroyed before it has a connection would wait for that first, for minutes. */
  #end(error?: Error): void {
    if (this.#session?.connecting) this.#unconnected.abort(error ?? CLOSED);
    else this.#session?.destroy(error);
  }

  /** Destroys a session whose other end does not answer: a host that lost its power sends no end. */
  #keepAlive(session: ClientHttp2Session): void {
    const { pingMs, pingAnswerMs } = this.#times;
    let cancel: (() => void) | undefined;
    const asking = setInterval(() => {
      if (cancel || session.destroyed || this.#streams === 0) return;
      cancel = whenUnheard(pingAnswerMs, () => this.#giveUp('it does not answer any more'));
      session.ping(() => {
        cancel?.();
        cancel = undefined;
      });
    }, pingMs);
    session.once('close', () => {
      clearInterval(asking);
      cancel?.();
    });
  }
}

/**
 * Calls `act` after `ms`, unless what it gives is called before. What has come by then is read first: a process that
 * stood still itself must not take others for silent.
 */
function whenUnheard(ms: number, act: () => void): () => void {
  let reading: NodeJS.Immediate | undefined;
  const late = setTimeout(() => (reading = setImmediate(act)), ms);
  return () => {
    clearTimeout(late);
    clearImmediate(reading);
  };
}
