import { SwarmError } from '../../base/errors.ts';
import { digitsOf } from '../../base/exact-json.ts';

/**
 * How a value of the model looks in Docker's JSON, for both directions. Shapes follow Go's encoding/json, which is what
 * clients are made for: what is missing or null is the type's zero, unknown members are passed over, another kind of
 * value is refused in Go's words.
 */
export interface Shape<T> {
  /** Go's name of the type, for its errors. */
  readonly type: string;
  /** Stands for what was not given. */
  readonly zero: T;
  /** `value` is neither null nor undefined. Throws `invalid`. */
  read(value: unknown, at: Place): T;
  write(value: T): unknown;
  /** Whether Go's `omitempty` leaves it out. */
  isZero(value: T): boolean;
}

/** Where a value stands. */
export interface Place {
  /** Go's name of the struct that it is a member of. */
  readonly struct: string;
  /** The members that lead to it, from the outermost. */
  readonly path: string;
  /** What is read is that struct's own members, not a value of one. */
  readonly embedded?: true;
}

/** The refusal of a value of the wrong kind. */
export function mismatch(value: unknown, type: string, { struct, path }: Place): SwarmError {
  const what = `cannot unmarshal ${kindOf(value)} into Go struct field ${struct}.${path} of type ${type}`;
  return new SwarmError('invalid', `invalid JSON: json: ${what}`);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || isBigNumber(value)) return 'number';
  return typeof value;
}

/** A number that JavaScript's can't hold, as the JSON reader keeps it. */
export function isBigNumber(value: unknown): boolean {
  return typeof value === 'object' && digitsOf(value) !== undefined;
}

/** Reads a request's body; one that is not there is the shape's zero. */
export function readBodyAs<T>(shape: Shape<T>, body: unknown): T {
  return body === undefined || body === null ? shape.zero : shape.read(body, { struct: '', path: '' });
}
