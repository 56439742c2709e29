import { SwarmError } from '../../base/errors.ts';
import { asArray, asNumber, asObject, asString, type Json } from '../../base/json.ts';
import type { StoreAnswer, StoreHttp } from '../http-store.ts';
import { ApiMissingError, type CallOptions } from './api.ts';
import { parseObject, statusWords } from './wire.ts';

/** The codes of the v2 API that are answers to a question, not failures. */
const CODES = { 100: 'missing', 101: 'changed', 105: 'exists' } as const;
const INDEX_CLEARED = 401;
/** An event has a key's value before and after. */
const EVENT_MAX_CHARS = 4 * 1024 * 1024;

export interface V2Node {
  /** Without a slash at its begin. */
  key: string;
  value: string;
  /** Changes when the key is made anew, not when it is renewed. */
  createdIndex: number;
  modifiedIndex: number;
}

export interface V2Event {
  action: string;
  node: V2Node;
}

/** etcd's v2 key API: `/v2/keys/<key>` with forms, times to live in seconds, long polls. */
export class V2Client {
  readonly #http: StoreHttp;

  constructor(http: StoreHttp) {
    this.#http = http;
  }

  /** The key, or all below it; none where there is nothing. With the index to watch from. */
  async get(
    key: string,
    options: CallOptions,
  ): Promise<{ nodes: readonly V2Node[]; index: number; endpoint: string }> {
    const path = `${keyPath(key)}?recursive=true&quorum=true`;
    const answer = await this.#http.request({ method: 'GET', path, ...options });
    const { json, refusal } = this.#read(answer);
    const index = Number(answer.headers['x-etcd-index'] ?? 0);
    if (refusal === 'missing') return { nodes: [], index, endpoint: answer.endpoint };
    if (refusal !== undefined) throw this.#nonsense(answer);
    return { nodes: leaves(asObject(json['node'])), index, endpoint: answer.endpoint };
  }

  /** Writes for whole seconds, rounded up; under a condition gives what stood in its way. */
  async put(
    key: string,
    value: string,
    options: CallOptions & { ttlMs: number; prevExist?: false; prevIndex?: number },
  ): Promise<V2Node | 'missing' | 'changed' | 'exists'> {
    const form = new URLSearchParams({ value, ttl: `${Math.ceil(options.ttlMs / 1000)}` });
    if (options.prevExist === false) form.set('prevExist', 'false');
    if (options.prevIndex !== undefined) form.set('prevIndex', `${options.prevIndex}`);
    const answer = await this.#http.request({
      method: 'PUT',
      path: keyPath(key),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      once: options.prevExist === false,
      signal: options.signal,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    });
    const { json, refusal } = this.#read(answer);
    return refusal ?? toNode(asObject(json['node']));
  }

  async remove(
    key: string,
    options: CallOptions & { prevIndex: number },
  ): Promise<'removed' | 'missing' | 'changed'> {
    const path = `${keyPath(key)}?prevIndex=${options.prevIndex}`;
    const { signal, deadlineMs } = options;
    const deadline = deadlineMs === undefined ? {} : { deadlineMs };
    const answer = await this.#http.request({ method: 'DELETE', path, signal, ...deadline });
    const { refusal } = this.#read(answer);
    if (refusal === 'exists') throw this.#nonsense(answer);
    return refusal ?? 'removed';
  }

  /**
   * The next event at or below the key after an index; waits for it as long as the server does, and gives undefined
   * where that gave up. Where the server has not kept what happened since, the index it is at.
   */
  async next(
    key: string,
    options: { after: number; signal: AbortSignal; onEndpoint: (endpoint: string) => void },
  ): Promise<V2Event | { at: number } | undefined> {
    const path = `${keyPath(key)}?wait=true&recursive=true&waitIndex=${options.after + 1}`;
    const stream = await this.#http.stream({ method: 'GET', path, signal: options.signal });
    options.onEndpoint(stream.endpoint);
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of stream.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > EVENT_MAX_CHARS) throw this.#nonsense({ ...stream, text: '' });
    }
    if (text.trim() === '' && stream.status === 200) return undefined;
    const json = parseObject(text);
    if (asNumber(json?.['errorCode']) === INDEX_CLEARED) return { at: asNumber(json?.['index']) };
    if (stream.status !== 200 || !json) throw this.#nonsense({ ...stream, text });
    const node = toNode(asObject(json['node']));
    if (node.modifiedIndex <= options.after) throw this.#nonsense({ ...stream, text: '' });
    return { action: asString(json['action']), node };
  }

  #read(answer: StoreAnswer): { json: Json; refusal?: (typeof CODES)[keyof typeof CODES] } {
    const json = parseObject(answer.text);
    if (json && answer.status < 300) return { json };
    const code = asNumber(json?.['errorCode']);
    if (code === 100 || code === 101 || code === 105) return { json: json ?? {}, refusal: CODES[code] };
    if (answer.status === 404 && code === 0)
      throw new ApiMissingError(
        `etcd at ${answer.endpoint} does not serve the v2 API: start it with --enable-v2, or leave --discovery-opt etcd.api out`,
      );
    throw this.#nonsense(answer);
  }

  #nonsense({ endpoint, status, text }: Pick<StoreAnswer, 'endpoint' | 'status' | 'text'>): SwarmError {
    const said = asString(parseObject(text)?.['message']) || statusWords(status);
    return new SwarmError('unavailable', `etcd at ${endpoint}: ${said}`);
  }
}

function keyPath(key: string): string {
  return `/v2/keys/${key.split('/').map(encodeURIComponent).join('/')}`;
}

function leaves(node: Json): V2Node[] {
  if (node['dir'] !== true) return [toNode(node)];
  return asArray(node['nodes']).flatMap((child) => leaves(asObject(child)));
}

function toNode(node: Json): V2Node {
  return {
    key: asString(node['key']).replace(/^\//, ''),
    value: asString(node['value']),
    createdIndex: asNumber(node['createdIndex']),
    modifiedIndex: asNumber(node['modifiedIndex']),
  };
}
