import { asArray, asNumber, asObject, asString, asStrings, isObject, type Json } from '../base/json.ts';
import { SwarmError } from '../base/errors.ts';
import type { LogLine, LogOptions, LogSelector } from '../dispatcher/index.ts';

/** Of one piece of a line: between managers a line of JSON has an end. */
const PIECE_BYTES = 256 * 1024;
const NANOSECONDS = /^\d{1,20}$/;

/** What one manager asks another for. */
export interface WireWish {
  readonly selector: LogSelector;
  readonly options: LogOptions;
}

/** As JSON, which knows neither maps nor long numbers. */
export function wishToJson({ selector, options }: WireWish): Json {
  const { goOnFrom = new Map<string, bigint>(), ...rest } = options;
  return {
    selector,
    options: { ...rest, goOnFrom: [...goOnFrom].map(([node, ns]) => [node, String(ns)]) },
  };
}

/** Reads what another manager asks for. */
export function wishFromJson(value: unknown): WireWish {
  const { selector, options } = asObject(value);
  const { serviceIds, nodeIds, taskIds } = asObject(selector);
  const { streams, follow, tail, sinceMs, goOnFrom } = asObject(options);
  return {
    selector: { serviceIds: asStrings(serviceIds), nodeIds: asStrings(nodeIds), taskIds: asStrings(taskIds) },
    options: {
      streams: (['stdout', 'stderr'] as const).filter((stream) => asStrings(streams).includes(stream)),
      follow: follow === true,
      ...(tail === undefined ? {} : { tail: Math.max(0, Math.trunc(asNumber(tail))) }),
      ...(sinceMs === undefined ? {} : { sinceMs: asNumber(sinceMs) }),
      goOnFrom: new Map(
        asArray(goOnFrom).map((entry) => {
          const [node, ns] = asStrings(entry);
          return [node ?? '', nanoseconds(ns)];
        }),
      ),
    },
  };
}

/** Lines of JSON for one line, which may be a long one. */
export function* lineToJson({ data, timestampNs, ...rest }: LogLine): Generator<string> {
  for (let from = 0; from === 0 || from < data.length; from += PIECE_BYTES) {
    const piece = Buffer.from(data.subarray(from, from + PIECE_BYTES)).toString('base64');
    yield `${JSON.stringify({ ...rest, timestampNs: String(timestampNs), data: piece })}\n`;
  }
}

export function lineFromJson(json: Json): LogLine {
  return {
    serviceId: asString(json['serviceId']),
    nodeId: asString(json['nodeId']),
    taskId: asString(json['taskId']),
    timestampNs: nanoseconds(json['timestampNs']),
    stream: json['stream'] === 'stderr' ? 'stderr' : 'stdout',
    data: Buffer.from(asString(json['data']), 'base64'),
    attrs: asArray(json['attrs'])
      .filter(isObject)
      .map((attr) => ({ key: asString(attr['key']), value: asString(attr['value']) })),
  };
}

function nanoseconds(value: unknown): bigint {
  const text = asString(value);
  if (!NANOSECONDS.test(text)) throw new SwarmError('invalid', 'a time of a log is not one');
  return BigInt(text);
}
