import { asArray, asObject, asString, type Json } from '../../base/json.ts';

/** A key as etcd's JSON has it, read. */
export interface KeyValue {
  key: string;
  value: string;
  /** '0' where it has none. Ids are 64 bits: never numbers. */
  lease: string;
}

/** Undefined where it is no JSON. */
export function parseObject(text: string): Json | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What an answer without words of etcd's says. */
export function statusWords(status: number): string {
  return status < 300 ? 'what answers there is no etcd' : `status ${status}`;
}

/** The fields that name one key, or all below it. */
export function keyRange(key: string, folder = false): Json {
  if (!folder) return { key: encode(key) };
  return { key: encode(`${key}/`), range_end: encode(`${key}0`) }; // 0 is what follows the slash
}

export function keyValues(json: Json): KeyValue[] {
  return asArray(json['kvs']).map((item) => {
    const { key, value, lease } = asObject(item);
    return { key: decode(key), value: decode(value), lease: asString(lease) || '0' };
  });
}

export function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: unknown): string {
  return Buffer.from(asString(text), 'base64').toString('utf8');
}
