import type { SecureClientSessionOptions } from 'node:http2';
import { createClient, type Client } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from '../../../proto/generated/etcd/rpc_pb.js';
import { orAborted, within } from '../../base/async.ts';
import { SwarmError } from '../../base/errors.ts';
import { Http2Session } from '../../base/http2-session.ts';
import { EtcdError } from './etcd-error.ts';
import { troubleWords } from './trouble-words.ts';

/** PEM. Without a certificate of its own, a client is nobody in particular. */
export interface EtcdTls {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

/** etcd's services over one connection. */
export interface Wire {
  readonly session: Http2Session;
  readonly kv: Client<typeof KV>;
  readonly watch: Client<typeof Watch>;
  readonly lease: Client<typeof Lease>;
  readonly maintenance: Client<typeof Maintenance>;
  readonly auth: Client<typeof Auth>;
  readonly cluster: Client<typeof Cluster>;
}

/** etcd ends connections that are pinged more often than every 5 s. */
const KEEPALIVE = { pingMs: 6_000, pingAnswerMs: 3_000 };
/** What etcd may send ahead: a page of rows, however far away it is. */
const WINDOW_BYTES = 2 * 1024 * 1024;
/** A page of the largest rows is about half of it. */
const ANSWER_MAX_BYTES = 128 * 1024 * 1024;

/** One endpoint, connected when it is asked for. */
export class Line {
  readonly endpoint: string;
  readonly #tls: (() => EtcdTls) | undefined;
  #wire: Wire | undefined;

  /** Throws `invalid` where the CA is none. */
  constructor(endpoint: string, tls: EtcdTls | (() => EtcdTls) | undefined) {
    this.endpoint = endpoint;
    if (typeof tls !== 'function') checkTls(tls);
    this.#tls = tls && (typeof tls === 'function' ? tls : () => tls);
  }

  /** Its connection, made within `ms` where there is none. Rejects with an EtcdError: nothing was sent. */
  async open(ms: number, signal: AbortSignal): Promise<Wire> {
    if (this.#wire?.session.isOver === true) this.#wire = undefined;
    let wire: Wire | undefined;
    try {
      wire = this.#wire ??= this.#connect();
      await orAborted(within(ms, `etcd at ${this.endpoint}`, wire.session.open()), signal);
      return wire;
    } catch (error) {
      if (wire && !signal.aborted) this.drop(wire);
      throw new EtcdError(`etcd at ${this.endpoint} can't be reached: ${troubleWords(error)}`, 'not-sent', {
        cause: error,
      });
    }
  }

  /** Ends a connection that is of no use, with every call over it; the next call makes another one. */
  drop(wire: Wire | undefined = this.#wire): void {
    if (wire === this.#wire) this.#wire = undefined;
    wire?.session.close();
  }

  #connect(): Wire {
    const baseUrl = `${this.#tls ? 'https' : 'http'}://${this.endpoint}`;
    const options: SecureClientSessionOptions = {
      ...(this.#tls && { ...this.#tls(), minVersion: 'TLSv1.2' }),
      settings: { initialWindowSize: WINDOW_BYTES },
    };
    const session = new Http2Session(baseUrl, options, KEEPALIVE);
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: session,
      acceptCompression: [],
      readMaxBytes: ANSWER_MAX_BYTES,
    });
    return {
      session,
      kv: createClient(KV, transport),
      watch: createClient(Watch, transport),
      lease: createClient(Lease, transport),
      maintenance: createClient(Maintenance, transport),
      auth: createClient(Auth, transport),
      cluster: createClient(Cluster, transport),
    };
  }
}

/** Node would take the public roots for none. */
function checkTls(tls: EtcdTls | undefined): void {
  if (tls && !tls.ca.includes('BEGIN CERTIFICATE'))
    throw new SwarmError('invalid', "there is no certificate in etcd's CA");
}
