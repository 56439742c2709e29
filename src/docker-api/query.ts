import { SwarmError } from '../base/errors.ts';

/** A flag of a query string the way Docker reads it: anything but these words is true. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

/** A whole number of a query string; 0 when it is not given. Throws `invalid`. */
export function queryInt(query: URLSearchParams, name: string): number {
  const value = query.get(name);
  if (value === null || value === '') return 0;
  if (!/^[+-]?\d{1,15}$/.test(value)) {
    throw new SwarmError('invalid', `strconv.Atoi: parsing "${value}": invalid syntax`);
  }
  return Number(value);
}

/** The `filters` argument: for every key the values asked for. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads `filters`, in the form of today (`{"k":{"v":true}}`) or that of old clients (`{"k":["v"]}`).
 * Throws `invalid` when it is neither, or has a key that `known` lacks.
 */
export function queryFilters(query: URLSearchParams, known?: readonly string[]): Filters {
  const text = query.get('filters');
  const filters = new Map<string, string[]>();
  if (text === null || text === '') return filters;
  const parsed = ((): unknown => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new SwarmError('invalid', 'invalid filter');
    }
  })();
  if (parsed === null) return filters;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new SwarmError('invalid', 'invalid filter');
  for (const [key, value] of Object.entries(parsed)) {
    if (known && !known.includes(key)) throw new SwarmError('invalid', `invalid filter '${key}'`);
    filters.set(key, filterValues(key, value));
  }
  return filters;
}

function filterValues(key: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    // It is the member that counts, whatever its value.
    const entries = Object.entries(value);
    if (entries.every(([, on]) => typeof on === 'boolean')) return entries.map(([text]) => text);
  }
  throw new SwarmError('invalid', `invalid filter '${key}'`);
}

/** The tests that filters ask for; what passes them all is chosen. */
export class FilterTests<T> {
  readonly #filters: Filters;
  readonly #tests: ((item: T) => boolean)[] = [];

  constructor(filters: Filters) {
    this.#filters = filters;
  }

  /** Adds the test that `make` gives for the values of `key`, where that is asked for. */
  on(key: string, make: (values: readonly string[]) => (item: T) => boolean): void {
    const values = this.#filters.get(key);
    if (values && values.length > 0) this.#tests.push(make(values));
  }

  add(test: (item: T) => boolean): void {
    this.#tests.push(test);
  }

  /** What passes every test, in its order. The same array where there is no test. */
  choose(items: readonly T[]): readonly T[] {
    return this.#tests.length === 0 ? items : items.filter((item) => this.#tests.every((test) => test(item)));
  }
}

/** The form engines read. */
export function filtersText(filters: Filters): string {
  const plain: Record<string, string[]> = {};
  for (const [key, values] of filters) plain[key] = [...values];
  return JSON.stringify(plain);
}

/** Whether `labels` has every `key` or `key=value` asked for. */
export function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const at = text.indexOf('=');
    if (at < 0) return Object.hasOwn(labels, text);
    const key = text.slice(0, at);
    return Object.hasOwn(labels, key) && labels[key] === text.slice(at + 1);
  });
}

/** Reads a flag given as a filter (`dangling=true`); undefined when it is not asked for. Throws `invalid`. */
export function filterFlag(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key);
  if (!values || values.length === 0) return undefined;
  if (values.every((value) => value === 'true' || value === '1')) return true;
  if (values.every((value) => value === 'false' || value === '0')) return false;
  throw new SwarmError('invalid', `invalid filter '${key}=[${values.join(' ')}]'`);
}
