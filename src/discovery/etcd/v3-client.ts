import { SwarmError } from '../../base/errors.ts';
import { asArray, asObject, asString, type Json } from '../../base/json.ts';
import type { StoreHttp } from '../http-store.ts';
import { ApiMissingError, type CallOptions } from './api.ts';
import { encode, keyRange, keyValues, parseObject, statusWords, type KeyValue } from './wire.ts';

/** etcd's own code (gRPC's) for a lease that has ended. */
const NOT_FOUND = 5;

/** An answer that is a refusal, in etcd's words. */
class EtcdRefusal extends SwarmError {
  readonly grpcCode: number;

  constructor(message: string, grpcCode: number) {
    super('unavailable', message);
    this.grpcCode = grpcCode;
  }
}

export interface Range {
  kvs: readonly KeyValue[];
  /** The store's, as of this answer. */
  revision: string;
  endpoint: string;
}

/**
 * etcd's v3 API as its servers publish it in JSON (the gRPC gateway below /v3, from 3.4 on): keys and values in
 * base64, 64-bit numbers as strings, what is empty left out.
 */
export class V3Client {
  readonly #http: StoreHttp;

  constructor(http: StoreHttp) {
    this.#http = http;
  }

  /** One key, or with `folder` all below it, at most `limit`. */
  async range(key: string, options: CallOptions & { folder?: boolean; limit?: number }): Promise<Range> {
    const limit = options.limit === undefined ? {} : { limit: `${options.limit}` };
    const { json, endpoint } = await this.#post(
      '/v3/kv/range',
      { ...keyRange(key, options.folder), ...limit },
      options,
    );
    const revision = asString(asObject(json['header'])['revision']);
    return { kvs: keyValues(json), revision, endpoint };
  }

  /** A lease for whole seconds, rounded up; gives its id. */
  async grant(ttlMs: number, options: CallOptions): Promise<string> {
    const { json } = await this.#post('/v3/lease/grant', { TTL: `${Math.ceil(ttlMs / 1000)}` }, options);
    return asString(json['ID']);
  }

  /** Prolongs a lease by its time from now; false where it has ended. */
  async keepAlive(lease: string, options: CallOptions): Promise<boolean> {
    const { json } = await this.#post('/v3/lease/keepalive', { ID: lease }, options);
    return asString(asObject(json['result'])['TTL']) !== '';
  }

  /** Ends a lease and removes its keys; nothing happens where it has ended. */
  async revoke(lease: string, options: CallOptions): Promise<void> {
    await this.#post('/v3/lease/revoke', { ID: lease }, options).catch(ignoreNotFound);
  }

  async isAlive(lease: string, options: CallOptions): Promise<boolean> {
    const { json } = await this.#post('/v3/lease/timetolive', { ID: lease }, options);
    return Number(asString(json['TTL'])) > 0;
  }

  /** Writes the key under the lease unless it is there under it already. False where the lease has ended. */
  async putUnderLease(key: string, value: string, lease: string, options: CallOptions): Promise<boolean> {
    const compare = [{ key: encode(key), target: 'LEASE', result: 'EQUAL', lease }];
    const failure = [{ request_put: { key: encode(key), value: encode(value), lease } }];
    try {
      await this.#post('/v3/kv/txn', { compare, success: [], failure }, options);
      return true;
    } catch (error) {
      ignoreNotFound(error);
      return false;
    }
  }

  /** Writes the key where it is not there, else gives what is. Throws where the lease has ended. */
  async create(
    key: string,
    value: string,
    lease: string,
    options: CallOptions,
  ): Promise<KeyValue | 'created'> {
    const compare = [{ key: encode(key), target: 'CREATE', result: 'EQUAL', create_revision: '0' }];
    const success = [{ request_put: { key: encode(key), value: encode(value), lease } }];
    const failure = [{ request_range: { key: encode(key) } }];
    const { json } = await this.#post('/v3/kv/txn', { compare, success, failure }, options);
    if (json['succeeded'] === true) return 'created';
    const [found] = keyValues(asObject(asObject(asArray(json['responses'])[0])['response_range']));
    if (!found) throw new SwarmError('unavailable', `etcd at ${this.#http.endpoint} answers without sense`);
    return found;
  }

  /**
   * Yields whenever the key, or something below it, has changed after a revision; ends where the server has not kept
   * what happened since. A change may be told more than once. Lines are not parsed: they can be large, and
   * between their base64 the words looked for cannot occur by chance.
   */
  async *watch(
    key: string,
    options: { folder?: boolean; after: string; signal: AbortSignal; onEndpoint: (endpoint: string) => void },
  ): AsyncGenerator<'changed'> {
    const start_revision = `${BigInt(options.after) + 1n}`;
    const body = JSON.stringify({ create_request: { ...keyRange(key, options.folder), start_revision } });
    const { signal } = options;
    const stream = await this.#http.stream({ method: 'POST', path: '/v3/watch', body, signal });
    options.onEndpoint(stream.endpoint);
    let tail = '';
    for await (const chunk of stream.body) {
      const text = tail + chunk.toString('latin1');
      tail = text.slice(-20);
      if (text.includes('"canceled":true')) return;
      if (stream.status >= 400 || text.includes('"error":'))
        throw new SwarmError('unavailable', `etcd at ${stream.endpoint} ended the watch`);
      if (!text.includes('"created":true') || text.includes('"events"')) yield 'changed';
    }
  }

  async #post(path: string, body: Json, options: CallOptions): Promise<{ json: Json; endpoint: string }> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#http.request({
      method: 'POST',
      path,
      body: JSON.stringify(body),
      headers,
      ...options,
    });
    const where = `etcd at ${answer.endpoint}`;
    const json = parseObject(answer.text);
    // What streams by nature, as a lease's renewal does, may fail after its status was sent.
    const failure = json?.['error'];
    if (answer.status === 200 && json && failure === undefined) return { json, endpoint: answer.endpoint };
    const message =
      asString(json?.['message']) || asString(failure) || asString(asObject(failure)['message']);
    if (answer.status === 404 && (message === '' || message === 'Not Found'))
      throw new ApiMissingError(`${where} does not serve the v3 API as JSON (etcd 3.4 and newer do)`);
    const said = message || statusWords(answer.status);
    const hint = this.#http.secure && GATEWAY_FAILURE.test(message) ? GATEWAY_HINT : '';
    throw new EtcdRefusal(`${where}: ${said}${hint}`, Number(json?.['code'] ?? 0));
  }
}

// The JSON interface dials its own server, with the server's certificate as a client's; refused, it says one of these.
const GATEWAY_FAILURE = /handshake failed|bad certificate|connection reset|broken pipe|EOF/;
const GATEWAY_HINT = " (etcd's own certificate must be good for clients too: extendedKeyUsage clientAuth)";

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof EtcdRefusal) || error.grpcCode !== NOT_FOUND) throw error;
}
