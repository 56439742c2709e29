import type { Alarms } from '../base/alarms.ts';
import type { Task } from '../model/index.ts';

/** A task that is held back. */
export interface HeldTask {
  readonly id: string;
  readonly nodeId: string;
}

/** Tasks that were told to stop at about the same time. */
interface Wave {
  readonly tasks: Map<string, HeldTask>;
  readonly untilMs: number;
  /** The update that takes them out of the maps has this number at least; undefined until it is made. */
  at: number | undefined;
  /** Nodes whose balancers have not said that it is in force. */
  waiting: Set<string>;
  /** Its time came. */
  readonly ring: () => void;
}

interface WavesOptions {
  readonly stopMaxMs: number;
  readonly lingerMs: number;
  readonly nowMs: () => number;
  readonly alarms: Alarms<() => void>;
  /** A task may stop. */
  readonly onFreed: (task: HeldTask) => void;
  /** A balancer was waited for in vain. */
  readonly onLate: (nodeId: string) => void;
}

/**
 * The tasks that are held back: told to stop by the store, and not yet told to stop by their nodes, because balancers
 * may still send them connections. They wait in waves, one for each time that endpoints are read anew, for the balancers
 * that are told of it.
 */
export class StopWaves {
  readonly #options: WavesOptions;
  readonly #waveOf = new Map<string, Wave>();
  readonly #sealed = new Set<Wave>();
  #open: Wave | undefined;

  constructor(options: WavesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waveOf.size;
  }

  holds(taskId: string): boolean {
    return this.#waveOf.has(taskId);
  }

  /** Holds a task back until the balancers that `seal` names have heard of it. */
  hold({ id, nodeId }: Task): void {
    if (this.#waveOf.has(id)) return;
    const wave = (this.#open ??= this.#begin());
    wave.tasks.set(id, { id, nodeId });
    this.#waveOf.set(id, wave);
  }

  /** A task ended, or is gone. */
  forget(taskId: string): void {
    const wave = this.#waveOf.get(taskId);
    if (!wave) return;
    this.#waveOf.delete(taskId);
    wave.tasks.delete(taskId);
    if (wave.tasks.size === 0) this.#end(wave);
  }

  /** What was held back is out of the maps: as of that number, which those balancers are told. */
  seal(at: number, nodeIds: Iterable<string>): void {
    const wave = this.#open;
    if (!wave) return;
    this.#open = undefined;
    wave.at = at;
    wave.waiting = new Set(nodeIds);
    this.#sealed.add(wave);
    if (wave.waiting.size === 0) this.#free(wave);
  }

  /** That version is in force on that node. */
  reported(nodeId: string, version: number): void {
    for (const wave of this.#sealed) {
      if (wave.at === undefined || version < wave.at || !wave.waiting.delete(nodeId)) continue;
      if (wave.waiting.size === 0) this.#linger(wave);
    }
  }

  freeAll(): void {
    for (const wave of [...this.#sealed, ...(this.#open ? [this.#open] : [])]) this.#free(wave);
  }

  #begin(): Wave {
    const { nowMs, stopMaxMs, alarms } = this.#options;
    const wave: Wave = {
      tasks: new Map(),
      untilMs: nowMs() + stopMaxMs,
      at: undefined,
      waiting: new Set(),
      ring: () => this.#due(wave),
    };
    alarms.set(wave.ring, stopMaxMs);
    return wave;
  }

  #due(wave: Wave): void {
    for (const nodeId of wave.waiting) this.#options.onLate(nodeId);
    this.#free(wave);
  }

  #linger(wave: Wave): void {
    const { lingerMs, nowMs, alarms } = this.#options;
    alarms.set(wave.ring, Math.min(lingerMs, wave.untilMs - nowMs()));
  }

  #free(wave: Wave): void {
    this.#end(wave);
    for (const task of wave.tasks.values()) {
      this.#waveOf.delete(task.id);
      this.#options.onFreed(task);
    }
  }

  #end(wave: Wave): void {
    this.#options.alarms.clear(wave.ring);
    this.#sealed.delete(wave);
    if (this.#open === wave) this.#open = undefined;
  }
}
