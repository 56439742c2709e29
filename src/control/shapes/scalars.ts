import { SwarmError } from '../../base/errors.ts';
import { digitsOf } from '../../base/exact-json.ts';
import { isBigNumber, mismatch, type Place, type Shape } from './shape.ts';

export const text: Shape<string> = {
  type: 'string',
  zero: '',
  read(value, at) {
    if (typeof value !== 'string') throw mismatch(value, 'string', at);
    // Half of a surrogate pair can't travel; Go puts the same mark in its place.
    return value.toWellFormed();
  },
  write: (value) => value,
  isZero: (value) => value === '',
};

export const flag: Shape<boolean> = {
  type: 'bool',
  zero: false,
  read(value, at) {
    if (typeof value !== 'boolean') throw mismatch(value, 'bool', at);
    return value;
  },
  write: (value) => value,
  isZero: (value) => !value,
};

/** The largest numbers of JavaScript that are still one of Go's. */
const INT64_MAX = 2 ** 63 - 1024;
const UINT64_MAX = 2 ** 64 - 2048;

/** Whole numbers; those beyond 2^53 are rounded, and never beyond what Go's type holds. */
function integer(type: string, min: bigint, max: bigint): Shape<number> {
  return {
    type,
    zero: 0,
    read(value, at) {
      if (typeof value !== 'number' && !isBigNumber(value)) throw mismatch(value, type, at);
      const digits = typeof value === 'number' ? String(value) : (digitsOf(value) ?? '');
      if (!/^-?\d+$/.test(digits) || BigInt(digits) < min || BigInt(digits) > max) {
        throw outOfRange(digits, type, at);
      }
      return Math.max(-INT64_MAX, Math.min(min < 0n ? INT64_MAX : UINT64_MAX, Number(digits)));
    },
    write: (value) => value,
    isZero: (value) => value === 0,
  };
}

function outOfRange(digits: string, type: string, { struct, path }: Place): SwarmError {
  const what = `cannot unmarshal number ${digits} into Go struct field ${struct}.${path} of type ${type}`;
  return new SwarmError('invalid', `invalid JSON: json: ${what}`);
}

const TWO = 2n;
const INT64: readonly [bigint, bigint] = [-(TWO ** 63n), TWO ** 63n - 1n];
const UINT32: readonly [bigint, bigint] = [0n, TWO ** 32n - 1n];

export const int64 = integer('int64', ...INT64);
export const uint64 = integer('uint64', 0n, TWO ** 64n - 1n);
export const uint32 = integer('uint32', ...UINT32);
/** Go's `int`, for what has 32 bits on the wire. */
export const int32 = integer('int', -(TWO ** 31n), TWO ** 31n - 1n);
export const fileMode = integer('fs.FileMode', ...UINT32);
/** Nanoseconds. */
export const duration = integer('time.Duration', ...INT64);

export const real: Shape<number> = {
  type: 'float32',
  zero: 0,
  read(value, at) {
    if (typeof value === 'number') return value;
    if (isBigNumber(value)) return Number(digitsOf(value));
    throw mismatch(value, 'float32', at);
  },
  write: (value) => value,
  isZero: (value) => value === 0,
};

/** A number that the model leaves out where it is 0. */
export function unlessZero(shape: Shape<number>): Shape<number | undefined> {
  return {
    type: shape.type,
    zero: undefined,
    read: (value, at) => shape.read(value, at) || undefined,
    write: (value) => value ?? 0,
    isZero: (value) => value === undefined || value === 0,
  };
}

/** One of some words; `''` means the first. Others are refused with what `refuse` says. */
export function choice<W extends string>(
  type: string,
  words: readonly [W, ...W[]],
  refuse: (word: string) => string,
): Shape<W> {
  const [first] = words;
  return {
    type,
    zero: first,
    read(value, at) {
      const given = text.read(value, at);
      const word = words.find((known) => known === given);
      if (word !== undefined) return word;
      if (given === '') return first;
      throw new SwarmError('invalid', refuse(given));
    },
    write: (value) => value,
    isZero: (value) => (value as string) === '',
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Go's `[]byte`: base64 with its padding, line ends passed over. */
export const bytes: Shape<Uint8Array | undefined> = {
  type: '[]uint8',
  zero: undefined,
  read(value, at) {
    if (typeof value !== 'string') throw mismatch(value, '[]uint8', at);
    const plain = value.replaceAll(/[\r\n]/g, '');
    if (!BASE64.test(plain)) {
      const good = /^[A-Za-z0-9+/]*/.exec(plain)?.[0].length ?? 0;
      // Go names the character that does not fit, or the group of four that has no end.
      const where = good === plain.length ? good - (good % 4) : good;
      throw new SwarmError('invalid', `invalid JSON: illegal base64 data at input byte ${where}`);
    }
    return new Uint8Array(Buffer.from(plain, 'base64'));
  },
  write: (value) => Buffer.from(value ?? []).toString('base64'),
  isZero: (value) => value === undefined || value.length === 0,
};
