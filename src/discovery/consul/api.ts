import { SwarmError } from '../../base/errors.ts';
import { asArray, asObject, asString } from '../../base/json.ts';
import type { StoreAnswer, StoreHttp } from '../http-store.ts';

export interface CallOptions {
  signal: AbortSignal;
  /** How long one question may take; 8.5 seconds if nothing is said. */
  deadlineMs?: number;
}

export interface ConsulKey {
  key: string;
  value: string;
  /** Who holds it; empty where nobody does. */
  session: string;
}

/** A blocking query: answers when something changed after `index`, or after about `waitMs`. */
export interface Blocking {
  /** 0: at once. */
  index: number;
  waitMs: number;
}

export interface Indexed<T> {
  value: T;
  /** For the next blocking query. */
  index: number;
}

/** Consul lets a session live for twice its time before it counts as lost; both bounds are of the session's time. */
const [SESSION_MIN_MS, SESSION_MAX_MS] = [10_000, 86_400_000];
const TIMES = 2;
/** Consul adds up to a sixteenth to the time that a blocking query waits. */
const JITTER_PART = 1 / 16;
/**
 * A Consul without a leader holds a question for seven seconds before it says so, and then it is worth hearing: how long
 * one question may take, and how long after its wait a blocking one.
 */
const ANSWER_MS = 8_500;

/** What discovery needs of Consul's HTTP API: sessions, and keys that sessions hold. */
export class ConsulApi {
  readonly #http: StoreHttp;

  constructor(http: StoreHttp) {
    this.#http = http;
  }

  /**
   * A session that ends `ttlMs` after it was last renewed (20 seconds at least), and takes its keys with it. It hangs on
   * no health check, and leaves no delay in which nobody may take its keys.
   */
  async createSession(ttlMs: number, options: CallOptions): Promise<string> {
    const ms = Math.min(Math.max(Math.ceil(ttlMs / TIMES), SESSION_MIN_MS), SESSION_MAX_MS);
    const body = { Name: 'swarm', TTL: `${ms}ms`, Behavior: 'delete', LockDelay: '0s', Checks: [] };
    const answer = await this.#put('/v1/session/create', JSON.stringify(body), options);
    const id = asString(asObject(this.#json(answer))['ID']);
    if (id === '') throw this.#nonsense(answer);
    return id;
  }

  /** False where the session is lost. */
  async renewSession(id: string, options: CallOptions): Promise<boolean> {
    const answer = await this.#put(`/v1/session/renew/${id}`, '', options, [404]);
    return answer.status === 200;
  }

  async destroySession(id: string, options: CallOptions): Promise<void> {
    await this.#put(`/v1/session/destroy/${id}`, '', options);
  }

  async sessionLives(id: string, options: CallOptions): Promise<boolean> {
    const answer = await this.#ask({ method: 'GET', path: `/v1/session/info/${id}` }, options);
    return asArray(this.#json(answer)).length > 0;
  }

  /** Writes the key and holds it by the session; false where another one holds it. `lost`: the session is. */
  async acquire(
    key: string,
    value: string,
    session: string,
    options: CallOptions & { flags?: bigint },
  ): Promise<boolean | 'lost'> {
    const path = `${keyPath(key)}?acquire=${session}&flags=${options.flags ?? 0}`;
    const answer = await this.#put(path, value, options, [500]);
    if (answer.status === 500) {
      if (answer.text.includes('invalid session')) return 'lost';
      throw this.#trouble(answer);
    }
    return this.#json(answer) === true;
  }

  /** Hands the key from one session to another in one step; false where `from` does not hold it any more. */
  async handOver(
    key: string,
    value: string,
    sessions: { from: string; to: string },
    options: CallOptions,
  ): Promise<boolean> {
    const step = (verb: string, session: string): object => ({
      KV: { Verb: verb, Key: key, Value: Buffer.from(value).toString('base64'), Session: session },
    });
    const body = JSON.stringify([step('unlock', sessions.from), step('lock', sessions.to)]);
    const answer = await this.#put('/v1/txn', body, options, [409]);
    return answer.status === 200;
  }

  /** The key as the leader has it; undefined where there is none. */
  async get(
    key: string,
    options: CallOptions & { blocking?: Blocking },
  ): Promise<Indexed<ConsulKey | undefined>> {
    const { keys, index } = await this.#read(`${keyPath(key)}?consistent`, options);
    return { value: keys[0], index };
  }

  /** All keys below a folder. */
  async list(
    folder: string,
    options: CallOptions & { blocking?: Blocking },
  ): Promise<Indexed<readonly ConsulKey[]>> {
    const { keys, index } = await this.#read(`${keyPath(folder)}/?recurse`, options);
    return { value: keys, index };
  }

  async #read(
    path: string,
    options: CallOptions & { blocking?: Blocking },
  ): Promise<{ keys: ConsulKey[]; index: number }> {
    const { blocking } = options;
    const block = blocking ? `&index=${blocking.index}&wait=${Math.ceil(blocking.waitMs)}ms` : '';
    const { deadlineMs = ANSWER_MS } = options;
    const waitMs = blocking ? blocking.waitMs * (1 + JITTER_PART) : 0;
    const times = { ...options, deadlineMs: waitMs + deadlineMs };
    const answer = await this.#ask({ method: 'GET', path: `${path}${block}` }, times, [404]);
    const index = Number(answer.headers['x-consul-index'] ?? 0);
    if (!Number.isSafeInteger(index) || index < 0) throw this.#nonsense(answer);
    if (answer.status === 404) {
      // Only Consul's own "no such key" has an index; another server's 404 is no empty list.
      if (answer.headers['x-consul-index'] === undefined) throw this.#nonsense(answer);
      return { keys: [], index };
    }
    const rows = this.#json(answer);
    if (!Array.isArray(rows)) throw this.#nonsense(answer);
    return { keys: rows.map(toKey), index };
  }

  #put(
    path: string,
    body: string,
    options: CallOptions,
    expected: readonly number[] = [],
  ): Promise<StoreAnswer> {
    return this.#ask({ method: 'PUT', path, body }, options, expected);
  }

  /** Rejects with `unavailable` for every status but 200 and those expected. */
  async #ask(
    request: { method: 'GET' | 'PUT'; path: string; body?: string },
    { signal, deadlineMs = ANSWER_MS }: CallOptions,
    expected: readonly number[] = [],
  ): Promise<StoreAnswer> {
    const answer = await this.#http.request({ ...request, signal, deadlineMs });
    if (answer.status !== 200 && !expected.includes(answer.status)) throw this.#trouble(answer);
    return answer;
  }

  #json(answer: StoreAnswer): unknown {
    try {
      return JSON.parse(answer.text) as unknown;
    } catch {
      throw this.#nonsense(answer);
    }
  }

  #trouble({ endpoint, status, text }: StoreAnswer): SwarmError {
    const said = text.trim().split('\n')[0]?.slice(0, 200) ?? '';
    const words = said === '' ? '' : `: ${said}`;
    return new SwarmError('unavailable', `Consul at ${endpoint} answers ${status}${words}`);
  }

  #nonsense({ endpoint, status }: StoreAnswer): SwarmError {
    return new SwarmError('unavailable', `what answers at ${endpoint} (${status}) is no Consul`);
  }
}

/** Keys have no slash at their begin; each part is escaped, the slashes between them are not. */
function keyPath(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
}

function toKey(row: unknown): ConsulKey {
  const { Key, Value, Session } = asObject(row);
  return {
    key: asString(Key),
    value: Buffer.from(asString(Value), 'base64').toString('utf8'),
    session: asString(Session),
  };
}
