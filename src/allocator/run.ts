import { backoffMs } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Kind } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { commitOf, type Write } from './commits.ts';
import { planItem } from './plan-item.ts';
import { ALLOCATED_KINDS, AllocatorState, type AllocatedKind } from './state.ts';

/** How many rows are planned before they are written. */
const AT_ONCE = 500;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;

/** The work of the allocator: told which rows changed, it allocates until there is nothing to do. */
export class AllocatorRun {
  readonly #context: LoopContext;
  readonly #signal: AbortSignal;
  readonly state: AllocatorState;
  readonly #changed: Readonly<Record<AllocatedKind, Set<string>>> = {
    network: new Set(),
    service: new Set(),
    task: new Set(),
    node: new Set(),
  };
  #isClusterChanged = false;
  /** What was said of each row, so that it is said once. */
  readonly #told = new Map<string, string>();
  #failures = 0;

  constructor(context: LoopContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.state = new AllocatorState(context.store.view);
  }

  /** A row changed. */
  note(kind: Kind, id: string): void {
    if (kind === 'cluster') this.#isClusterChanged = true;
    else if (kind in this.#changed) this.#changed[kind as AllocatedKind].add(id);
  }

  /** Works until there is nothing to do. */
  async settle(): Promise<void> {
    while (!this.#signal.aborted) {
      const isChanged = this.#takeChanges();
      if (!isChanged && !this.state.isOpen) return;
      this.state.wakeForFree();
      for (const kind of ALLOCATED_KINDS) await this.#allocateSome(kind);
    }
  }

  /** Brings the state up to the rows; false when nothing changed. */
  #takeChanges(): boolean {
    const isClusterChanged = this.#isClusterChanged;
    this.#isClusterChanged = false;
    if (isClusterChanged) this.state.syncCluster();
    let count = 0;
    for (const kind of ALLOCATED_KINDS) {
      const ids = [...this.#changed[kind]];
      this.#changed[kind].clear();
      for (const id of ids) this.#sync(kind, id);
      count += ids.length;
    }
    return isClusterChanged || count > 0;
  }

  /** Not all at once, where there is much: what comes meanwhile is not to wait for all of it. */
  async #allocateSome(kind: AllocatedKind): Promise<void> {
    const todo = this.state.todo[kind];
    const writes: Write[] = [];
    for (const id of todo) {
      if (writes.length >= AT_ONCE) break;
      todo.delete(id);
      this.#guarded(kind, id, () => {
        const planned = planItem(this.state, kind, id);
        if (planned.why !== '') this.#tell(`${kind}/${id}`, planned.why);
        writes.push(...planned.writes);
      });
    }
    await this.#write(writes);
  }

  /** Writes what was planned, and reads it back, whether it came about or not. */
  async #write(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return;
    const { store, times, log } = this.#context;
    const nowMs = times.wallMs();
    let refused: readonly Write[] = [];
    try {
      await store.batch(writes, (tx, write) => commitOf(write)(tx, nowMs));
      this.#failures = 0;
    } catch (error) {
      if (error instanceof SwarmError && error.code === 'unavailable') {
        if (this.#failures++ === 0) log.error({ err: error }, 'allocations could not be written');
        const waitMs = backoffMs(this.#failures - 1, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random);
        await times.pause(waitMs, this.#signal);
      } else refused = await this.#writeEach(writes, nowMs);
    }
    for (const { kind, id } of writes) this.#sync(kind, id);
    // Until they change, they would be refused again.
    for (const { kind, id } of refused) this.state.todo[kind].delete(id);
  }

  #sync(kind: AllocatedKind, id: string): void {
    if (!this.#context.store.view.get(kind, id)) this.#told.delete(`${kind}/${id}`);
    this.#guarded(kind, id, () => this.state.sync(kind, id));
  }

  /** One by one, where one of them stands in the way of the others. Returns those that were refused. */
  async #writeEach(writes: readonly Write[], nowMs: number): Promise<readonly Write[]> {
    const refused: Write[] = [];
    for (const write of writes) {
      try {
        await this.#context.store.update((tx) => commitOf(write)(tx, nowMs));
      } catch (error) {
        refused.push(write);
        this.#tell(`${write.kind}/${write.id}`, messageOf(error));
      }
    }
    return refused;
  }

  /** An error of one row is told once, and does not stop the others. */
  #guarded(kind: AllocatedKind, id: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#tell(`${kind}/${id}`, messageOf(error));
    }
  }

  #tell(item: string, why: string): void {
    if (this.#told.get(item) === why) return;
    this.#told.set(item, why);
    this.#context.log.warn({ item, why }, 'not allocated');
  }
}
