/** Bounds of what is kept. */
const MAX_KEPT = 4_096;
const MAX_BYTES = 16 * 1024;

/**
 * The registry credentials that containers were created with, by swarm id, for the day they must be made again where
 * their image is not. They are in memory only, and the oldest go first when there are too many.
 */
export class RegistryAuths {
  readonly #kept = new Map<string, string>();

  /** Keeps a client's `X-Registry-Auth` as it came. */
  keep(swarmId: string, header: string): void {
    if (header === '' || header.length > MAX_BYTES) return;
    this.#kept.delete(swarmId);
    this.#kept.set(swarmId, header);
    if (this.#kept.size <= MAX_KEPT) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
  }

  get(swarmId: string): string | undefined {
    return this.#kept.get(swarmId);
  }

  delete(swarmId: string): void {
    this.#kept.delete(swarmId);
  }
}
