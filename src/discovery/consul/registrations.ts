import { SwarmError } from '../../base/errors.ts';
import type { CallOptions, ConsulApi } from './api.ts';

/** Another process may register the same address again and again; who comes last wins. */
const TRIES = 5;

/** The engines that this process announces: each is a key, held by a session of its own that is renewed. */
export class Registrations {
  readonly #api: ConsulApi;
  readonly #folder: string;
  readonly #sessions = new Map<string, { id: string; ttlMs: number }>();

  constructor(api: ConsulApi, folder: string) {
    this.#api = api;
    this.#folder = folder;
  }

  /**
   * Prolongs the address's session and looks whether it still holds the key. A key that an older session holds (this
   * agent's before it was started again, or the original's) is taken over in one step, so that nobody ever sees the
   * engine missing.
   */
  async register(address: string, ttlMs: number, signal: AbortSignal): Promise<void> {
    const options: CallOptions = { signal };
    const key = `${this.#folder}/${address}`;
    for (let tries = 1; tries <= TRIES; tries++) {
      const session = await this.#session(address, ttlMs, options);
      const { value: now } = await this.#api.get(key, options);
      if (now?.session === session && now.value === address) return;
      if (now && now.session !== '' && now.session !== session) {
        const sessions = { from: now.session, to: session };
        if (await this.#api.handOver(key, address, sessions, options)) return;
        continue;
      }
      const held = await this.#api.acquire(key, address, session, options);
      if (held === true) return;
      if (held === 'lost') this.#sessions.delete(address);
    }
    throw new SwarmError(
      'unavailable',
      `Consul: ${key} cannot be held: others take it, or it has a lock delay`,
    );
  }

  /** The address's session, renewed just now, or a new one. */
  async #session(address: string, ttlMs: number, options: CallOptions): Promise<string> {
    const old = this.#sessions.get(address);
    if (old?.ttlMs === ttlMs && (await this.#api.renewSession(old.id, options))) return old.id;
    const id = await this.#api.createSession(ttlMs, options);
    this.#sessions.set(address, { id, ttlMs });
    return id;
  }
}
