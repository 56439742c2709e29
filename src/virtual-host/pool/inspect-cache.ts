/** Inspections kept for one engine, at the most. */
const MAX_KEPT = 256;

/**
 * Inspections of one engine's containers, each good until something happens to its container: the engine tells every
 * change by an event, and whatever passes through the manager is dropped here before its answer is out.
 * Only to be used while the engine's events are followed.
 */
export class InspectCache {
  readonly #kept = new Map<string, Buffer>();
  /** What is being read, and whether something has happened to its container since. */
  readonly #reading = new Map<string, { dropped: boolean }>();

  get(key: string): Buffer | undefined {
    return this.#kept.get(key);
  }

  /**
   * Reads what is not kept, and keeps it where `lasting` says that events will tell of every change to it.
   * `key` begins with the container's id.
   */
  async read(key: string, fetch: () => Promise<Buffer>, lasting: (body: Buffer) => boolean): Promise<Buffer> {
    const mark = { dropped: false };
    this.#reading.set(key, mark);
    try {
      const body = await fetch();
      if (!mark.dropped && this.#reading.get(key) === mark && lasting(body)) this.#keep(key, body);
      return body;
    } finally {
      if (this.#reading.get(key) === mark) this.#reading.delete(key);
    }
  }

  /** Something happened to the container. */
  drop(id: string): void {
    for (const [key, mark] of this.#reading) if (key.startsWith(id)) mark.dropped = true;
    for (const key of this.#kept.keys()) if (key.startsWith(id)) this.#kept.delete(key);
  }

  clear(): void {
    for (const mark of this.#reading.values()) mark.dropped = true;
    this.#kept.clear();
  }

  #keep(key: string, body: Buffer): void {
    this.#kept.set(key, body);
    if (this.#kept.size <= MAX_KEPT) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
  }
}
