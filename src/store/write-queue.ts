import { setImmediate as nextTurn } from 'node:timers/promises';
import { SwarmError, messageOf } from '../base/errors.ts';
import { CommitPlan } from './commit-plan.ts';
import type { Held } from './held.ts';
import type { Layouts } from './layouts.ts';
import type { Backend, Tx } from './types.ts';
import type { Keyring } from './seal/keyring.ts';
import { AgainWork, BatchWork, UpdateWork, type Filled, type RowNow, type Work } from './work.ts';

/** After so many commits in one turn of the event loop others have their turn: connections, timers. */
const COMMITS_PER_TURN = 4;

export interface StoreOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told of a listener that threw. */
  readonly onFault: (error: unknown) => void;
  /** What may open a state that is sealed. */
  readonly keyring?: Keyring;
  /** The layouts of the state that are known; those of this swarmd if nothing is said. */
  readonly layouts?: Layouts;
}

/** Updates wait in a queue; as many as fit are committed together, and then applied to what is held. */
export class WriteQueue {
  readonly #held: Held;
  readonly #commit: Backend['commit'];
  readonly #options: StoreOptions;
  readonly #onFailed: () => void;
  #queue: Work[] = [];
  #running: Promise<void> | undefined;
  /** Why nothing is taken any more. */
  #ended: SwarmError | undefined;
  #commitsOfTurn = 0;

  /** `onFailed` is called when memory may not be what is kept any more; nothing is written after that. */
  constructor(
    held: Held,
    commit: Backend['commit'],
    options: StoreOptions,
    onFailed: () => void = () => undefined,
  ) {
    this.#held = held;
    this.#commit = commit;
    this.#options = options;
    this.#onFailed = onFailed;
  }

  update<T>(change: (tx: Tx) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#add(new UpdateWork(change, resolve, reject));
    return promise;
  }

  batch<T>(items: Iterable<T>, change: (tx: Tx, item: T) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#add(new BatchWork(items, change, resolve, reject));
    return promise;
  }

  /** Writes rows once more, as they are when their turn comes; others' updates come between. */
  again(rows: readonly RowNow[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#add(new AgainWork(rows, resolve, reject));
    return promise;
  }

  /** Takes nothing more, for this reason; resolves when what waits is done. */
  async finish(reason: SwarmError): Promise<void> {
    this.#ended ??= reason;
    await this.#running;
  }

  /** Takes nothing more, and gives up what waits; resolves when the commit under way has ended, either way. */
  async abandon(reason: SwarmError): Promise<void> {
    this.#ended ??= reason;
    for (const work of this.#queue.splice(0)) work.failed(reason);
    await this.#running;
  }

  #add(work: Work): void {
    if (this.#ended) return work.failed(this.#ended);
    this.#queue.push(work);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What else is asked for in this step of the event loop is committed with it.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) {
        if (this.#commitsOfTurn >= COMMITS_PER_TURN) await nextTurn();
        await this.#commitSome();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#running = undefined;
  }

  /** Memory may not be what is kept any more: nothing is written until the state is opened again. */
  #fail(error: unknown): void {
    const failure = new SwarmError('unavailable', `the state failed: ${messageOf(error)}`, { cause: error });
    this.#ended = new SwarmError('unavailable', 'the state is closed');
    for (const work of this.#queue.splice(0)) work.failed(failure);
    this.#onFailed();
    try {
      this.#options.onFault(failure);
    } catch {
      // Whoever is told may have been what failed.
    }
  }

  /** Commits the first of the queue, and with it what fits. */
  async #commitSome(): Promise<void> {
    if (this.#commitsOfTurn++ === 0) setImmediate(() => (this.#commitsOfTurn = 0));
    const { tables, codec, litter } = this.#held;
    const plan = new CommitPlan(tables, codec, this.#options.nowMs());
    const taken = this.#fill(plan);
    if (!plan.isEmpty) {
      const revision = tables.revision + 1;
      try {
        const lasting = this.#commit(revision, this.#held.sealed(plan.rows(litter), plan.seal()));
        if (lasting) await lasting;
      } catch (error) {
        const failure = notWritten(error);
        for (const { work } of taken) work.failed(failure);
        return;
      }
      try {
        this.#held.apply(revision, plan.changes());
      } catch (error) {
        for (const { work } of taken) work.failed(error);
        throw error;
      }
    }
    for (const { work, filled } of taken) {
      work.committed();
      // What has more goes behind those who came later.
      if (filled === 'part') this.#again(work);
    }
  }

  #again(work: Work): void {
    if (this.#ended?.code === 'no-manager') work.failed(this.#ended);
    else this.#queue.push(work);
  }

  /** Takes from the queue what goes into the next commit, wholly or in part. */
  #fill(plan: CommitPlan): { work: Work; filled: Filled }[] {
    const taken: { work: Work; filled: Filled }[] = [];
    for (const work of this.#queue) {
      const filled = work.fill(plan);
      if (filled !== 'nothing') taken.push({ work, filled });
      if (filled !== 'whole') break;
    }
    this.#queue.splice(0, taken.length);
    return taken;
  }
}

/** Whoever does not lead says so in its own words. */
function notWritten(error: unknown): SwarmError {
  if (error instanceof SwarmError && error.code === 'no-manager') return error;
  return new SwarmError('unavailable', `the state could not be written: ${messageOf(error)}`, {
    cause: error,
  });
}
