import { Bell } from '../../base/bell.ts';
import type { Times } from '../../base/clock.ts';
import { newId } from '../../base/ids.ts';
import { hasEnded, stateRank, type Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { LogMarks } from './log-marks.ts';
import type { LogLine, LogOptions, LogSelector } from './types.ts';
import type { WireOptions } from './wire-logs.ts';

/** Of lines that nobody took yet; nodes wait beyond it. */
const WAITING_MAX_BYTES = 1024 * 1024;
/** What a line takes besides its data. */
const LINE_BYTES = 256;
const REASONS_MAX = 100;
const NS_PER_MS = 1e6;

/** One reader's wish for logs, and what has come of it. */
export class Subscription {
  readonly selector: LogSelector;
  readonly options: LogOptions;
  /** Where tasks of it are or were; without `follow`, only those that have not sent all yet. */
  readonly nodes = new Set<string>();
  /** Fires when it is over, for whatever reason. */
  readonly over: AbortSignal;
  readonly #over = new AbortController();
  readonly #unplaced = new Set<string>();
  readonly #reasons = new Set<string>();
  readonly #lines: LogLine[] = [];
  readonly #news = new Bell();
  /** Nodes that wait for room, the first first. */
  readonly #waiting: (() => void)[] = [];
  readonly #marks: LogMarks;
  readonly #firstId = newId();
  /** By which id a node knows of it. */
  readonly #ids = new Map<string, string>();
  readonly #beganMs: number;
  #bytes = 0;

  constructor(selector: LogSelector, options: LogOptions, times: Pick<Times, 'nowMs' | 'wallMs'>) {
    this.selector = selector;
    this.options = options;
    this.over = this.#over.signal;
    this.#beganMs = times.wallMs();
    const { tail, goOnFrom } = options;
    this.#marks = new LogMarks({
      nowMs: () => times.nowMs(),
      fromTheBeginning: tail === undefined,
      goOnFrom,
    });
  }

  /** The id by which a node knows of it; undefined where it was not told. */
  idAt(nodeId: string): string | undefined {
    return this.#ids.get(nodeId);
  }

  /**
   * What a node is to be told, for the first time or again: what it is to send from where it had come to, and by which id. Agents take
   * no notice of an id that they know, so one that is to go on with lines needs a new one.
   */
  telling(nodeId: string): { readonly id: string; readonly options: WireOptions } {
    const { streams = [], follow, tail, sinceMs } = this.options;
    const known = this.#ids.get(nodeId);
    const id = known === undefined ? this.#firstId : follow ? newId() : known;
    this.#ids.set(nodeId, id);
    const from = follow ? this.#marks.from(nodeId) : undefined;
    if (known !== undefined) this.#marks.again(nodeId);
    if (from !== undefined) return { id, options: { streams, follow, sinceNs: from } };
    // Who wanted no old lines wants those that were said meanwhile.
    if (known !== undefined && follow && tail === 0)
      return { id, options: { streams, follow, sinceNs: nsOf(Math.max(sinceMs ?? 0, this.#beganMs)) } };
    return {
      id,
      options: {
        streams,
        follow,
        ...(tail === undefined ? {} : { tail }),
        ...(sinceMs === undefined ? {} : { sinceNs: nsOf(sinceMs) }),
      },
    };
  }

  /** Counts all tasks that are there now. Without `follow` those that have not run yet are passed over: SwarmKit's rule. */
  match(view: View): void {
    const { serviceIds = [], nodeIds = [], taskIds = [] } = this.selector;
    for (const id of nodeIds) this.nodes.add(id);
    for (const id of taskIds) {
      const task = view.get('task', id);
      if (task) this.add(task);
    }
    for (const id of serviceIds)
      for (const task of view.tasksOfService(id))
        if (this.options.follow || stateRank(task.status.state) >= stateRank('running')) this.add(task);
  }

  /** Returns the task's node when that is new. */
  add({ id, nodeId, status }: Task): string | undefined {
    if (nodeId === '') {
      // One that ended without a node never said a word.
      if (!hasEnded(status.state)) this.#unplaced.add(id);
      return undefined;
    }
    this.#unplaced.delete(id);
    if (this.nodes.has(nodeId)) return undefined;
    this.nodes.add(nodeId);
    return nodeId;
  }

  /** A node has sent all, or can't. */
  done(nodeId: string, reason?: string): void {
    if (reason !== undefined && this.#reasons.size < REASONS_MAX) this.#reasons.add(reason);
    if (this.options.follow) return;
    this.nodes.delete(nodeId);
    this.#news.ring();
  }

  /** Nobody reads any more, or nobody sends. */
  end(): void {
    this.#over.abort();
    this.#lines.length = 0;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Whether nobody wants any more what a node sends by an id: the reader is gone, or the node was told anew. */
  isOver({ nodeId, id }: { readonly nodeId: string; readonly id: string }): boolean {
    return this.over.aborted || this.#ids.get(nodeId) !== id;
  }

  /** Takes lines in that a node sends by an id; waits while there are too many. */
  async offer(
    lines: readonly LogLine[],
    feed: { readonly nodeId: string; readonly id: string },
  ): Promise<void> {
    for (const line of lines) {
      while (this.#bytes >= WAITING_MAX_BYTES && !this.isOver(feed))
        await new Promise<void>((resolve) => void this.#waiting.push(resolve));
      if (this.isOver(feed)) return;
      if (this.options.follow && !this.#marks.take(line)) continue;
      this.#lines.push(line);
      this.#bytes += line.data.length + LINE_BYTES;
      this.#news.ring();
    }
  }

  /** All lines that are here; none when all have been sent, or it is over. */
  async take(): Promise<readonly LogLine[]> {
    while (this.#lines.length === 0) {
      if (!this.options.follow && this.nodes.size === 0) return [];
      if (!(await this.#news.heard(this.over))) return [];
    }
    this.#bytes = 0;
    const lines = this.#lines.splice(0);
    for (const wake of this.#waiting.splice(0)) wake();
    return lines;
  }

  /** What is missing, in SwarmKit's words; undefined when nothing is. */
  missing(): string | undefined {
    const reasons = [...this.#reasons];
    for (const id of [...this.#unplaced].slice(0, REASONS_MAX))
      reasons.push(`task ${id} has not been scheduled`);
    if (reasons.length === 0) return undefined;
    return `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${reasons.join(', ')}`;
  }
}

function nsOf(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * BigInt(NS_PER_MS) + BigInt(Math.floor((ms - whole) * NS_PER_MS));
}
