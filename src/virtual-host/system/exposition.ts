/** What a metric's samples are told apart by. */
export type Labels = Readonly<Record<string, string>>;

/** One line of a family: what is put behind its name, the labels, the value. */
export interface Sample {
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric with all its samples at this moment. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  samples(): Iterable<Sample>;
}

/** The content type of `expositionText`. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Families in Prometheus's text format 0.0.4. */
export function expositionText(families: Iterable<Family>): string {
  let text = '';
  for (const family of families) {
    const { name, help, type } = family;
    text += `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
    for (const { suffix = '', labels = {}, value } of family.samples())
      text += `${name}${suffix}${labelText(labels)} ${value}\n`;
  }
  return text;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** A value that is read when it is asked for; one sample, or one for each set of labels. */
export function gauge(name: string, help: string, read: () => number | Iterable<Sample>): Family {
  return { name, help, type: 'gauge', samples: () => samplesOf(read()) };
}

/** The same for a value that only grows. */
export function readCounter(name: string, help: string, read: () => number): Family {
  return { name, help, type: 'counter', samples: () => samplesOf(read()) };
}

function samplesOf(value: number | Iterable<Sample>): Iterable<Sample> {
  return typeof value === 'number' ? [{ value }] : value;
}

/** One number of a counter. */
export interface Count {
  readonly labels: Labels;
  value: number;
}

/** Counts. Labels must come from a small closed set: each combination is kept for the process's life. */
export class Counter implements Family {
  readonly name: string;
  readonly help: string;
  readonly type = 'counter';
  readonly #counts = new Map<string, Count>();

  /** `known`: what is shown from the beginning on, at 0. */
  constructor(name: string, help: string, known: readonly Labels[] = []) {
    this.name = name;
    this.help = help;
    for (const labels of known) this.inc(labels, 0);
  }

  inc(labels: Labels = {}, by = 1): void {
    this.of(labels).value += by;
  }

  /** The count of these labels, for who counts often. */
  of(labels: Labels): Count {
    const key = labelText(labels);
    const count = this.#counts.get(key) ?? { labels, value: 0 };
    this.#counts.set(key, count);
    return count;
  }

  samples(): Iterable<Sample> {
    return this.#counts.values();
  }
}

/** The values of one set of labels. */
export interface Series {
  readonly labels: Labels;
  /** How many were in each bucket, not cumulative; the last is above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** Counts values by size. The same holds for labels as with `Counter`. */
export class Histogram implements Family {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** `bounds`: the upper ends of the buckets, ascending. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
  }

  observe(value: number, labels: Labels = {}): void {
    this.add(this.of(labels), value);
  }

  /** The series of these labels, for who adds to it often. */
  of(labels: Labels): Series {
    const key = labelText(labels);
    const series = this.#series.get(key) ?? {
      labels,
      counts: Array.from({ length: this.#bounds.length + 1 }, () => 0),
      sum: 0,
    };
    this.#series.set(key, series);
    return series;
  }

  add(series: Series, value: number): void {
    const at = this.#bounds.findIndex((bound) => value <= bound);
    const bucket = at < 0 ? this.#bounds.length : at;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += value;
  }

  *samples(): Iterable<Sample> {
    for (const { labels, counts, sum } of this.#series.values()) {
      let below = 0;
      for (const [at, count] of counts.entries()) {
        below += count;
        const le = String(this.#bounds[at] ?? '+Inf');
        yield { suffix: '_bucket', labels: { ...labels, le }, value: below };
      }
      yield { suffix: '_sum', labels, value: sum };
      yield { suffix: '_count', labels, value: below };
    }
  }
}
