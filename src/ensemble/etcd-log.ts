import type { Clock } from '../base/clock.ts';
import { asObject, asString } from '../base/json.ts';
import type { Logger } from '../base/log.ts';

/** Longer lines are cut: they hold whole requests. */
const LINE_MAX = 8 * 1024;
/** The same trouble is told once in a while. */
const AGAIN_MS = 60_000;
/** Of different troubles at a time. */
const MOST_TOLD = 100;
const WORSE = ['error', 'dpanic', 'panic', 'fatal'];
/** How etcd says that the others removed this member while it was away, or just now. */
const REMOVED = /permanently removed from the cluster/i;

/**
 * What etcd says, in swarmd's log: its errors as warnings, each once a minute; its warnings for whoever looks closely. The last one is
 * kept for the case that it ends.
 */
export class EtcdLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #told = new Map<string, number>();
  #rest = '';
  #last = '';
  #isRemoved = false;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** The last trouble it told of. */
  get last(): string {
    return this.#last;
  }

  /** Whether it has said that it is no member any more. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Takes what it wrote, lines and parts of such. */
  take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LINE_MAX);
    for (const line of lines) this.#line(line.slice(0, LINE_MAX));
  }

  #line(line: string): void {
    const { level, msg, error } = parsed(line);
    if (REMOVED.test(msg) || REMOVED.test(error)) this.#isRemoved = true;
    if (level === 'info' || level === 'debug' || msg === '') return;
    const isWorse = WORSE.includes(level);
    const words = error === '' ? msg : `${msg}: ${error}`;
    if (isWorse || level === 'plain') this.#last = words;
    const nowMs = this.#clock.nowMs();
    if (nowMs < (this.#told.get(msg) ?? -Infinity) + AGAIN_MS) return;
    if (this.#told.size >= MOST_TOLD) this.#told.clear();
    this.#told.set(msg, nowMs);
    if (isWorse) this.#log.warn({ said: words }, 'etcd tells of trouble');
    else this.#log.debug({ said: words }, 'etcd tells');
  }
}

/** A line of etcd's log; what is none is plain text, as of flags that it does not know. */
function parsed(line: string): { level: string; msg: string; error: string } {
  try {
    const { level, msg, error } = asObject(JSON.parse(line));
    return { level: asString(level), msg: asString(msg), error: asString(error) };
  } catch {
    return { level: 'plain', msg: line.trim(), error: '' };
  }
}
