import type { CallOptions } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  RangeRequestSchema,
  RangeResponse,
  StatusResponse,
  TxnRequestSchema,
  TxnResponse,
} from '../../../proto/generated/etcd/rpc_pb.js';
import { backoffMs } from '../../base/async.ts';
import { MONOTONIC, type Clock } from '../../base/clock.ts';
import type { EtcdAddress } from './address.ts';
import { EtcdError, etcdError } from './etcd-error.ts';
import { Line, type EtcdTls, type Wire } from './line.ts';

export interface EtcdOptions extends Omit<EtcdAddress, 'prefix'> {
  /** Asked for at each connection where it is a function: certificates are renewed. */
  readonly tls?: EtcdTls | (() => EtcdTls);
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface Asked {
  readonly signal: AbortSignal;
  /** Of the whole call, with all its attempts. */
  readonly deadlineMs?: number;
}

/** What a watch needs of its connection. */
export interface WatchLine {
  readonly endpoint: string;
  readonly wire: Wire;
  readonly headers: Record<string, string>;
  /** Ends the connection: it does not answer any more. */
  drop(): void;
}

export type Attempt<T> = (wire: Wire, options: CallOptions, line: Line) => Promise<T>;

const DEADLINE_MS = 5_000;
const CONNECT_MS = 2_000;
/** One endpoint that does not answer leaves time for the others. */
const SHARE_MIN_MS = 500;
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [25, 400];

/**
 * etcd's v3 API over gRPC: one connection, to the first endpoint that answers. All methods reject with an EtcdError that says whether
 * what was asked for may have been done. What only reads is asked again elsewhere until its deadline; what writes only where it
 * certainly did not leave.
 */
export class EtcdClient {
  readonly clock: Clock;
  readonly random: () => number;
  #lines: readonly Line[];
  readonly #tls: EtcdOptions['tls'];
  readonly #user: { readonly name: string; readonly password: string } | undefined;
  #current = 0;
  #token: string | undefined;

  constructor(options: EtcdOptions) {
    this.clock = options.clock ?? MONOTONIC;
    this.random = options.random ?? Math.random;
    this.#tls = options.tls;
    this.#lines = options.endpoints.map((endpoint) => new Line(endpoint, options.tls));
    const { user, password } = options;
    this.#user = user === undefined ? undefined : { name: user, password: password ?? '' };
  }

  /** For messages: the endpoints. */
  get where(): string {
    return `etcd://${this.#lines.map(({ endpoint }) => endpoint).join(',')}`;
  }

  range(request: MessageInitShape<typeof RangeRequestSchema>, asked: Asked): Promise<RangeResponse> {
    return this.call(asked, 'again', (wire, options) => wire.kv.range(request, options));
  }

  /** One attempt: whoever writes finds out what became of it. */
  txn(request: MessageInitShape<typeof TxnRequestSchema>, asked: Asked): Promise<TxnResponse> {
    return this.call(asked, 'once', (wire, options) => wire.kv.txn(request, options));
  }

  /** A lease of at least so many seconds; one that nobody knows of ends by itself. */
  async grant(seconds: number, asked: Asked): Promise<bigint> {
    const { ID } = await this.call(asked, 'again', (wire, options) =>
      wire.lease.leaseGrant({ TTL: BigInt(seconds) }, options),
    );
    return ID;
  }

  /** Prolongs a lease; false where it has ended. */
  keepAlive(lease: bigint, asked: Asked): Promise<boolean> {
    return this.call(asked, 'again', async (wire, options, line) => {
      for await (const { TTL } of wire.lease.leaseKeepAlive(once({ ID: lease }), options)) return TTL > 0n;
      throw new EtcdError(`etcd at ${line.endpoint} said nothing of a lease`, 'unknown');
    });
  }

  /** Ends a lease, and removes its keys; nothing happens where it has ended. */
  async revoke(lease: bigint, asked: Asked): Promise<void> {
    try {
      await this.call(asked, 'again', (wire, options) => wire.lease.leaseRevoke({ ID: lease }, options));
    } catch (error) {
      if (!(error instanceof EtcdError && error.outcome === 'refused')) throw error;
    }
  }

  /** Of the member that is asked now. */
  status(asked: Asked): Promise<StatusResponse> {
    return this.call(asked, 'again', (wire, options) => wire.maintenance.status({}, options));
  }

  /** The whole database of one member, in pieces; not bound to be read within any time. Needs etcd's root where it has users. */
  async *snapshot(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { wire, headers, endpoint } = await this.openWatch({ signal });
    try {
      for await (const { blob } of wire.maintenance.snapshot({}, { signal, headers })) yield blob;
    } catch (error) {
      throw etcdError(endpoint, error);
    }
  }

  /** A connection for what goes on and on: to a member that answers, and knows its cluster's leader. */
  openWatch(asked: Asked): Promise<WatchLine> {
    return this.call(asked, 'again', async (wire, options, line) => {
      const headers = { ...this.#headers(), hasleader: 'true' };
      await wire.maintenance.status({}, { ...options, headers });
      return { endpoint: line.endpoint, wire, headers, drop: () => this.#give(line, wire) };
    });
  }

  /** Has other endpoints from now on, at least one; where the present one is among them, its connection stays. */
  reach(endpoints: readonly string[]): void {
    if (endpoints.length === 0) return;
    const former = this.#lines;
    const present = former[this.#current];
    this.#lines = endpoints.map(
      (endpoint) => former.find((line) => line.endpoint === endpoint) ?? new Line(endpoint, this.#tls),
    );
    this.#current = present ? Math.max(0, this.#lines.indexOf(present)) : 0;
    for (const line of former) if (!this.#lines.includes(line)) line.drop();
  }

  close(): void {
    for (const line of this.#lines) line.drop();
  }

  /** What has no method of its own here: `once` is for what writes, and whose fate whoever asks finds out. */
  async call<T>(
    { signal, deadlineMs = DEADLINE_MS }: Asked,
    how: 'again' | 'once',
    attempt: Attempt<T>,
  ): Promise<T> {
    const endMs = this.clock.nowMs() + deadlineMs;
    let telling: EtcdError | undefined;
    for (let tries = 0; ; tries++) {
      try {
        return await this.#try(endMs - this.clock.nowMs(), signal, attempt);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        const again = error.outcome === 'not-sent' || (how === 'again' && error.outcome === 'unknown');
        if (!again || signal.aborted) throw error;
        // That the last attempt came to no end in its time says least.
        if (!error.isLate) telling = error;
        // Every endpoint at once, then after a while.
        const round = Math.floor((tries + 1) / this.#lines.length);
        const pauseMs = round === 0 ? 0 : backoffMs(round - 1, FIRST_PAUSE_MS, LAST_PAUSE_MS, this.random);
        if (this.clock.nowMs() + pauseMs >= endMs) throw telling ?? error;
        if (pauseMs > 0) await this.clock.pause(pauseMs, signal);
      }
    }
  }

  async #try<T>(leftMs: number, signal: AbortSignal, attempt: Attempt<T>): Promise<T> {
    const line = this.#line();
    // gRPC's header takes whole milliseconds alone.
    const share = Math.min(leftMs, Math.max(SHARE_MIN_MS, leftMs / this.#lines.length));
    // A pause may have ended late.
    const shareMs = Math.max(1, Math.ceil(share));
    let wire: Wire | undefined;
    try {
      wire = await line.open(Math.min(shareMs, CONNECT_MS), signal);
      return await this.#authenticated(wire, { signal, timeoutMs: shareMs }, (options) =>
        attempt(wire as Wire, options, line),
      );
    } catch (error) {
      const failure = etcdError(line.endpoint, error);
      if (failure.outcome !== 'refused' && !signal.aborted) this.#give(line, wire);
      throw failure;
    }
  }

  /** Gives a connection up, and turns to the next endpoint, unless somebody did so before. */
  #give(line: Line, wire: Wire | undefined): void {
    if (wire) line.drop(wire);
    if (line === this.#line()) this.#current = (this.#current + 1) % this.#lines.length;
  }

  #line(): Line {
    const line = this.#lines[this.#current];
    if (!line) throw new EtcdError('no etcd is named', 'not-sent');
    return line;
  }

  #headers(): Record<string, string> {
    return this.#token === undefined ? {} : { token: this.#token };
  }

  /** etcd's tokens end after a while, and with a change of its users. */
  async #authenticated<T>(
    wire: Wire,
    options: CallOptions,
    attempt: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    if (this.#user && this.#token === undefined) await this.#logIn(wire, options);
    try {
      return await attempt({ ...options, headers: this.#headers() });
    } catch (error) {
      if (!this.#user || !etcdError('', error).isUnauthenticated) throw error;
      await this.#logIn(wire, options);
      return attempt({ ...options, headers: this.#headers() });
    }
  }

  async #logIn(wire: Wire, options: CallOptions): Promise<void> {
    const { token } = await wire.auth.authenticate(this.#user ?? {}, options);
    this.#token = token;
  }
}

async function* once<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}
