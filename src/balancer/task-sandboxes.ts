import { Bell } from '../base/bell.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { LateBell } from './late-bell.ts';
import type { Sandbox } from './sandboxes.ts';
import type { EngineView } from './types.ts';

const ASK_LIMIT_MS = 5_000;
/** Between questions to the engine about tasks that are not found. */
const AGAIN_MS = 2_000;

export interface TaskSandboxOptions {
  readonly engine: EngineView;
  readonly times: Clock;
  readonly log: Logger;
  readonly inodeOf: (path: string) => Promise<number>;
  /** Called when one has come, gone or been made anew. */
  readonly changed: () => void;
}

/**
 * The namespaces of the tasks that the rules have a place for. The engine is asked in a loop of its own, so
 * that one that hangs holds nothing else up.
 */
export class TaskSandboxes {
  readonly #engine: EngineView;
  readonly #late: LateBell;
  readonly #log: Logger;
  readonly #inodeOf: (path: string) => Promise<number>;
  readonly #changed: () => void;
  readonly #bell = new Bell();
  #wanted: readonly string[] = [];
  #found: ReadonlyMap<string, Sandbox> = new Map();

  constructor({ engine, times, log, inodeOf, changed }: TaskSandboxOptions) {
    this.#engine = engine;
    this.#late = new LateBell(this.#bell, times);
    this.#log = log;
    this.#inodeOf = inodeOf;
    this.#changed = changed;
  }

  /** By task. */
  get found(): ReadonlyMap<string, Sandbox> {
    return this.#found;
  }

  /** Looks for these from now on. */
  want(taskIds: readonly string[]): void {
    if (taskIds.length === this.#wanted.length && taskIds.every((id, at) => this.#wanted[at] === id)) return;
    this.#wanted = taskIds;
    this.#bell.ring();
  }

  /** Containers may have come or gone. */
  look(): void {
    if (this.#wanted.length > 0) this.#bell.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (await this.#bell.heard(signal)) {
      const complete = await this.#ask(signal);
      if (!complete) this.#late.ringIn(AGAIN_MS, signal);
    }
  }

  /** Whether all were found. */
  async #ask(signal: AbortSignal): Promise<boolean> {
    const wanted = this.#wanted;
    const found = new Map<string, Sandbox>();
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(ASK_LIMIT_MS)]);
      const answer = wanted.length === 0 ? [] : await this.#engine.sandboxes(wanted, within);
      for (const { taskId, path } of answer) {
        const inode = await this.#inodeOf(path);
        if (inode !== 0) found.set(taskId, this.#sandboxOf(taskId, path, inode));
      }
    } catch (error) {
      this.#log.debug({ err: messageOf(error) }, 'the engine does not tell the namespaces of tasks');
      return false;
    }
    const before = this.#found;
    this.#found = found;
    const same =
      found.size === before.size && [...found].every(([id, { inode }]) => before.get(id)?.inode === inode);
    if (!same) this.#changed();
    return wanted.every((id) => found.has(id));
  }

  #sandboxOf(taskId: string, path: string, inode: number): Sandbox {
    const known = this.#found.get(taskId);
    if (known?.path === path && known.inode === inode) return known;
    return { path, inode, device: '', deviceIndex: 0, outerAddress: '' };
  }
}
