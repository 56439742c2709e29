/** What waits, as `kind/id`, and for what. */
export class Waiters {
  readonly #byKey = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, { readonly key: string; readonly why: string }>();

  /** An item waits for one thing at a time. `why` is for the user; '' where there is nothing to say. */
  wait(item: string, key: string, why: string): void {
    this.drop(item);
    this.#waiting.set(item, { key, why });
    const items = this.#byKey.get(key);
    if (items) items.add(item);
    else this.#byKey.set(key, new Set([item]));
  }

  drop(item: string): void {
    const waiting = this.#waiting.get(item);
    if (!waiting) return;
    this.#waiting.delete(item);
    const items = this.#byKey.get(waiting.key);
    items?.delete(item);
    if (items?.size === 0) this.#byKey.delete(waiting.key);
  }

  why(item: string): string {
    return this.#waiting.get(item)?.why ?? '';
  }

  keys(): readonly string[] {
    return [...this.#byKey.keys()];
  }

  /** The first that wait for it, at most `limit`; they wait no more. */
  wake(key: string, limit = Infinity): readonly string[] {
    const woken: string[] = [];
    for (const item of this.#byKey.get(key) ?? []) {
      if (woken.length >= limit) break;
      woken.push(item);
    }
    for (const item of woken) this.drop(item);
    return woken;
  }
}
