/** SwarmKit's: so many failures of a service within this time, and its tasks go elsewhere if they can. */
const WINDOW_MS = 5 * 60_000;
export const MANY_FAILURES = 5;
/** More are not told apart. */
const MOST = 100;

/** When tasks failed on one node, by service and version of its spec. */
export class RecentFailures {
  readonly #times = new Map<string, number[]>();
  #cleanedMs = -Infinity;

  add(key: string, nowMs: number): void {
    if (nowMs - this.#cleanedMs >= WINDOW_MS) this.#clean(nowMs);
    const times = this.#times.get(key);
    if (times === undefined) this.#times.set(key, [nowMs]);
    else if (times.push(nowMs) > MOST) times.shift();
  }

  count(key: string, nowMs: number): number {
    const times = this.#times.get(key);
    return times === undefined ? 0 : times.filter((time) => nowMs - time < WINDOW_MS).length;
  }

  #clean(nowMs: number): void {
    this.#cleanedMs = nowMs;
    for (const key of this.#times.keys()) if (this.count(key, nowMs) === 0) this.#times.delete(key);
  }
}
