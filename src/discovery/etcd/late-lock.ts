import type { Acquired, Lock, LockOptions } from '../types.ts';
import type { EtcdApi } from './api.ts';
import type { ApiChoice } from './api-choice.ts';

type Signalled = { signal: AbortSignal };

/** A lock of the API that turns out to be the one: asking for a lock dials nobody. */
export class LateLock implements Lock {
  readonly #choice: ApiChoice;
  readonly #key: string;
  readonly #options: LockOptions;
  readonly #locks = new Map<EtcdApi, Lock>();

  constructor(choice: ApiChoice, key: string, options: LockOptions) {
    this.#choice = choice;
    this.#key = key;
    this.#options = options;
  }

  acquire({ signal }: Signalled): Promise<Acquired> {
    return this.#choice.using(signal, (api) => this.#of(api).acquire({ signal }));
  }

  async renew({ signal }: Signalled): Promise<boolean> {
    if (this.#locks.size === 0) return false;
    return this.#choice.using(signal, (api) => this.#of(api).renew({ signal }));
  }

  async release({ signal }: Signalled): Promise<void> {
    if (this.#locks.size === 0) return;
    await this.#choice.using(signal, (api) => this.#of(api).release({ signal }));
  }

  async *watch({ signal }: Signalled): AsyncGenerator<string | undefined> {
    if (signal.aborted) return;
    try {
      yield* this.#choice.following(signal, (api) => this.#of(api).watch({ signal }));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #of(api: EtcdApi): Lock {
    const known = this.#locks.get(api);
    if (known) return known;
    const lock = api.lock(this.#key, this.#options);
    this.#locks.set(api, lock);
    return lock;
  }
}
