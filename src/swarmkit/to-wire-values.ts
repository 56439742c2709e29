import type { MessageInitShape } from '@bufbuild/protobuf';
import type { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type {
  AnnotationsSchema,
  DriverSchema,
  ResourcesSchema,
} from '../../proto/generated/swarmkit/types_pb.js';
import { SwarmError } from '../base/errors.ts';
import type { Annotations, Driver, GenericResource, Resources } from '../model/index.ts';

const NS_PER_S = 1_000_000_000;
const MS_PER_S = 1000;
const INT64_MAX = 2n ** 63n - 1n;
const UINT32_MAX = 2 ** 32 - 1;

/*
 * Numbers are checked here, because a message that can't be encoded ends the stream that it is sent on, and the agent
 * would come back for it again and again.
 */

/** Throws `invalid` for what is no whole number of 64 bits; fractions are cut off. */
export function int64(value: number): bigint {
  if (!Number.isFinite(value)) throw new SwarmError('invalid', `${value} is not a number of 64 bits`);
  const whole = BigInt(Math.trunc(value));
  if (whole > INT64_MAX || whole < -INT64_MAX - 1n)
    throw new SwarmError('invalid', `${value} is not a number of 64 bits`);
  return whole;
}

/** The same for numbers that are never negative. */
export function uint64(value: number): bigint {
  if (value < 0) throw new SwarmError('invalid', `${value} is negative`);
  return int64(value);
}

export function uint32(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > UINT32_MAX)
    throw new SwarmError('invalid', `${value} is not a number of 32 bits`);
  return value;
}

export function int32(value: number): number {
  if ((value | 0) !== value) throw new SwarmError('invalid', `${value} is not a signed number of 32 bits`);
  return value;
}

export function duration(ns: number): MessageInitShape<typeof DurationSchema> {
  const whole = int64(ns);
  return { seconds: whole / BigInt(NS_PER_S), nanos: Number(whole % BigInt(NS_PER_S)) };
}

export function timestamp(ms: number): MessageInitShape<typeof TimestampSchema> {
  const seconds = Math.floor(ms / MS_PER_S);
  const nanos = Math.round((ms - seconds * MS_PER_S) * (NS_PER_S / MS_PER_S));
  return { seconds: int64(seconds), nanos: Math.min(nanos, NS_PER_S - 1) };
}

/** `{ [key]: to(value) }`, or nothing at all when the value is undefined. */
export function given<K extends string, V, R>(
  key: K,
  value: V | undefined,
  to: (value: V) => R,
): { readonly [P in K]?: R } {
  return (value === undefined ? {} : { [key]: to(value) }) as { readonly [P in K]?: R };
}

export function annotations(of: Annotations): MessageInitShape<typeof AnnotationsSchema> {
  return { name: of.name, labels: { ...of.labels } };
}

export function driver(of: Driver): MessageInitShape<typeof DriverSchema> {
  return { name: of.name, options: { ...of.options } };
}

type WireGeneric = NonNullable<MessageInitShape<typeof ResourcesSchema>['generic']>[number];

export function genericResource({ kind, value }: GenericResource): WireGeneric {
  return typeof value === 'string'
    ? { resource: { case: 'namedResourceSpec', value: { kind, value } } }
    : { resource: { case: 'discreteResourceSpec', value: { kind, value: int64(value) } } };
}

export function resources(of: Resources): MessageInitShape<typeof ResourcesSchema> {
  return {
    nanoCpus: int64(of.nanoCpus),
    memoryBytes: int64(of.memoryBytes),
    generic: of.generic.map(genericResource),
  };
}
