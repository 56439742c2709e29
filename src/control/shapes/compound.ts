import { isObject } from '../../base/json.ts';
import { text } from './scalars.ts';
import { isBigNumber, mismatch, type Place, type Shape } from './shape.ts';

export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  const type = `[]${item.type}`;
  return {
    type,
    zero: [],
    read(value, at) {
      if (!Array.isArray(value)) throw mismatch(value, type, at);
      return value.map((one: unknown) => (one === null ? item.zero : item.read(one, at)));
    },
    write: (values) => values.map((one) => item.write(one)),
    isZero: (values) => values.length === 0,
  };
}

export const texts = list(text);

/** Any key is data, `__proto__` as well. */
export const textMap: Shape<Readonly<Record<string, string>>> = {
  type: 'map[string]string',
  zero: {},
  read(value, at) {
    if (!isObject(value) || isBigNumber(value)) throw mismatch(value, 'map[string]string', at);
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key.toWellFormed(), one === null ? '' : text.read(one, at)]),
    );
  },
  write: (value) => value,
  isZero: (value) => Object.keys(value).length === 0,
};

/** Go's pointer: absent where it was not given, and shown whatever it holds where it was. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return {
    type: shape.type,
    zero: undefined,
    read: (value, at) => shape.read(value, at),
    write: (value) => (value === undefined ? null : shape.write(value)),
    isZero: (value) => value === undefined,
  };
}

/** A shape for another form of the same value. `toModel` may refuse: it throws `invalid`. */
export function mapped<J, T>(shape: Shape<J>, toModel: (json: J) => T, toJson: (value: T) => J): Shape<T> {
  return {
    type: shape.type,
    get zero() {
      return toModel(shape.zero);
    },
    read: (value, at) => toModel(shape.read(value, at)),
    write: (value) => shape.write(toJson(value)),
    isZero: (value) => shape.isZero(toJson(value)),
  };
}

/** A member of a struct. */
interface Field<V> {
  /** undefined where its members stand among the struct's own. */
  readonly name: string | undefined;
  readonly shape: Shape<V>;
  readonly always: boolean;
}

/** A member that is left out where it is zero. */
export function field<V>(name: string, shape: Shape<V>): Field<V> {
  return { name, shape, always: false };
}

/** A member that is always shown; a pointer that is not set as null. */
export function always<V>(name: string, shape: Shape<V>): Field<V> {
  return { name, shape, always: true };
}

/** A struct whose members stand among those of the one around it. */
export function embedded<V>(shape: Shape<V>): Field<V> {
  return { name: undefined, shape, always: true };
}

/** Every member of `T` has its field; they are shown in this order. */
export type Fields<T> = { readonly [K in keyof Required<T>]: Field<T[K]> };

/** A JSON object. `name` is Go's name of the struct, with its package where that is not `swarm`. */
export function struct<T extends object>(name: string, fields: Fields<T>): Shape<T> {
  const type = name.includes('.') ? name : `swarm.${name}`;
  const bare = name.slice(name.indexOf('.') + 1);
  const entries = Object.entries<Field<unknown>>(fields);
  return {
    type,
    get zero() {
      return fromEntries(entries.map(([key, { shape }]) => [key, shape.zero])) as T;
    },
    read(value, at) {
      if (!isObject(value) || isBigNumber(value)) throw mismatch(value, type, at);
      const members = new Members(value);
      // Go counts the members of an embedded struct as those of the one around it.
      const here = { struct: at.embedded === true ? at.struct : bare, path: at.path };
      return fromEntries(entries.map(([key, one]) => [key, readField(one, members, here)])) as T;
    },
    write(value) {
      const shown: Record<string, unknown> = {};
      for (const [key, { name: member, shape, always: isAlways }] of entries) {
        const given = (value as Record<string, unknown>)[key];
        if (member === undefined) Object.assign(shown, shape.write(given));
        else if (isAlways || !shape.isZero(given)) shown[member] = shape.write(given);
      }
      return shown;
    },
    isZero: () => false,
  };
}

function readField({ name, shape }: Field<unknown>, members: Members, at: Place): unknown {
  if (name === undefined) return shape.read(members.all, { ...at, embedded: true });
  const value = members.get(name);
  if (value === undefined || value === null) return shape.zero;
  return shape.read(value, { ...at, path: at.path === '' ? name : `${at.path}.${name}` });
}

/** Finds members as Go does: by their name, in whatever case. */
class Members {
  readonly all: Readonly<Record<string, unknown>>;
  #folded: Map<string, unknown> | undefined;

  constructor(all: Readonly<Record<string, unknown>>) {
    this.all = all;
  }

  get(name: string): unknown {
    if (Object.hasOwn(this.all, name)) return this.all[name];
    this.#folded ??= new Map(Object.entries(this.all).map(([key, value]) => [key.toLowerCase(), value]));
    return this.#folded.get(name.toLowerCase());
  }
}

/** What is undefined is left out, so that equal things have equal members. */
function fromEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
