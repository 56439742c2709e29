import type { Logger } from 'pino';
import { pause } from '../../base/async.ts';
import { SwarmError, messageOf } from '../../base/errors.ts';
import type { Discovery, Lock } from '../../discovery/index.ts';

/** How long the name of a manager that dies in the middle stays taken. */
const TTL_MS = 10_000;
const STORE_MS = 2_000;
const AGAIN_MS = 100;
/** After trouble the store is left alone for this long, so that not every create waits for it. */
const SPARE_MS = 5_000;

/** A name that other managers know to be in the making. */
export interface SharedName {
  /** Whether another manager had it a moment ago: it may have made the container and died before it said so. */
  readonly contested: boolean;
  release(): void;
  /** Leaves it to run out: what became of the container is not known here. */
  abandon(): void;
}

/** Names that several managers hold against each other, by locks in the discovery store. */
export class SharedNames {
  readonly #discovery: Discovery;
  readonly #who: string;
  readonly #log: Logger;
  #sparedUntilMs = -Infinity;
  #troubled = false;

  constructor(discovery: Discovery, who: string, log: Logger) {
    this.#discovery = discovery;
    this.#who = who;
    this.#log = log;
  }

  /**
   * Takes a name; waits while another manager has it, unless `isTaken` finds that it is given away by now. Resolves
   * with undefined where the store can't be had: containers are made all the same then, with a warning.
   * Throws `conflict` when another manager keeps it.
   */
  async take(
    name: string,
    { isTaken, signal }: { isTaken: () => Promise<boolean>; signal: AbortSignal },
  ): Promise<SharedName | undefined> {
    const sinceMs = performance.now();
    if (sinceMs < this.#sparedUntilMs) return undefined;
    const lock = this.#discovery.lock?.({ name: `names/${name}`, value: this.#who, ttlMs: TTL_MS });
    if (!lock) return undefined;
    for (let contested = false; ; contested = true) {
      const acquired = await lock.acquire({ signal: limited(signal) }).catch((error: unknown) => {
        if (!signal.aborted) this.#spare(error);
        return undefined;
      });
      if (!acquired) {
        this.#giveUp(lock);
        // Who asked has left: that is no trouble of the store's.
        signal.throwIfAborted();
        return undefined;
      }
      this.#fine();
      if (acquired.kind === 'held') return this.#keep(lock, contested);
      const late = performance.now() - sinceMs > TTL_MS + STORE_MS;
      if (late || signal.aborted || (await isTaken()))
        throw new SwarmError(
          'conflict',
          `Conflict: The name ${name} is already being given by ${acquired.by}.`,
        );
      await pause(AGAIN_MS, signal);
    }
  }

  #keep(lock: Lock, contested: boolean): SharedName {
    const done = new AbortController();
    const renewing = async (): Promise<void> => {
      for (;;) {
        await pause(TTL_MS / 3, done.signal);
        if (done.signal.aborted) return;
        // Who has lost it goes on: the container is being made already.
        await lock.renew({ signal: limited(done.signal) }).catch((error: unknown) => {
          if (!done.signal.aborted) this.#spare(error);
        });
      }
    };
    void renewing();
    return {
      contested,
      release: () => {
        done.abort();
        this.#giveUp(lock);
      },
      abandon: () => done.abort(),
    };
  }

  #giveUp(lock: Lock): void {
    // What can't be given back runs out.
    void lock.release({ signal: AbortSignal.timeout(STORE_MS) }).catch(() => undefined);
  }

  #spare(error: unknown): void {
    this.#sparedUntilMs = performance.now() + SPARE_MS;
    if (this.#troubled) return;
    this.#troubled = true;
    this.#log.warn(
      { err: messageOf(error) },
      'Discovery store cannot be asked for names: until it can, two managers may give the same name',
    );
  }

  #fine(): void {
    if (this.#troubled) this.#log.info('Discovery store can be asked for names again');
    this.#troubled = false;
  }
}

function limited(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(STORE_MS)]);
}
