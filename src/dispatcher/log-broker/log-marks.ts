import type { LogLine } from './types.ts';

/** How long a task is silent, while others of its node are heard, until it counts as one that has said all that it had to. */
const SILENT_MS = 10_000;
/** Streams of tasks of a node whose last lines are remembered. */
const STREAMS_MAX = 2_000;

/** How far a stream of a task has been read. */
interface Mark {
  timestampNs: bigint;
  /** Lines with that timestamp. */
  count: number;
  /** The turn in which its last line came. */
  turn: number;
  /** What is sent again: all before a time, and so many lines of that time. Undefined when it has been passed. */
  again: { readonly timestampNs: bigint; left: number } | undefined;
}

interface NodeMarks {
  /** By task and stream, the one that was heard last at the end. */
  readonly streams: Map<string, Mark>;
  /** Turns last as long as a task may be silent, or longer. */
  turn: number;
  turnSinceMs: number;
  newestNs: bigint;
  /** The newest when the turn before this one ended: who was silent since had said all of before. */
  formerNs: bigint | undefined;
  /** The same for the one before that. */
  settledNs: bigint | undefined;
}

export interface LogMarksOptions {
  /** For silence. */
  readonly nowMs: () => number;
  /** Whether all lines are read from their beginning: then what is not settled is read again. Else each task's last ones are. */
  readonly fromTheBeginning: boolean;
  /** By node, where a reader before this one had come to. */
  readonly goOnFrom?: ReadonlyMap<string, bigint> | undefined;
}

/**
 * How far the logs of tasks have been read, so that reading can begin again at another place without losing lines or giving them
 * twice. Agents take one time for all tasks of a subscription, and send what is not older; a task that speaks seldom must not have all
 * others send what they said since, so one that was silent while others were heard counts as read.
 */
export class LogMarks {
  readonly #options: LogMarksOptions;
  readonly #nodes = new Map<string, NodeMarks>();

  constructor(options: LogMarksOptions) {
    this.#options = options;
    for (const [nodeId, ns] of options.goOnFrom ?? []) {
      const node = this.#nodeOf(nodeId);
      node.newestNs = ns;
      node.settledNs = ns;
    }
  }

  /** Notes a line; false for one that has been noted before, where it was to be sent again. */
  take({ nodeId, taskId, stream, timestampNs }: LogLine): boolean {
    const node = this.#nodeOf(nodeId);
    const key = `${taskId}/${stream}`;
    const mark = node.streams.get(key) ?? { timestampNs: -1n, count: 0, turn: 0, again: undefined };
    if (mark.again && isKnown(mark.again, timestampNs)) return false;
    if (mark.again && timestampNs > mark.again.timestampNs) mark.again = undefined;
    this.#turn(node);
    if (timestampNs > mark.timestampNs) {
      mark.timestampNs = timestampNs;
      mark.count = 1;
    } else if (timestampNs === mark.timestampNs) mark.count += 1;
    mark.turn = node.turn;
    if (timestampNs > node.newestNs) node.newestNs = timestampNs;
    node.streams.delete(key);
    node.streams.set(key, mark);
    return true;
  }

  /** Lines of a node, or of all, are sent again from where `from` says. */
  again(nodeId?: string): void {
    const nodes = nodeId === undefined ? this.#nodes.values() : [this.#nodes.get(nodeId)];
    for (const node of nodes)
      for (const mark of node?.streams.values() ?? [])
        mark.again = { timestampNs: mark.timestampNs, left: mark.count };
  }

  /** The time from which a node's lines are to be sent again; undefined where that is from the beginning. */
  from(nodeId: string): bigint | undefined {
    const node = this.#nodes.get(nodeId);
    if (!node || (node.settledNs === undefined && this.#options.fromTheBeginning)) return undefined;
    let from = node.settledNs;
    for (const { timestampNs, turn } of node.streams.values())
      if (
        (node.settledNs === undefined || turn >= node.turn - 1) &&
        (from === undefined || timestampNs < from)
      )
        from = timestampNs;
    return from;
  }

  /** The same of all nodes of which it is known. */
  all(): Map<string, bigint> {
    const all = new Map<string, bigint>();
    for (const nodeId of this.#nodes.keys()) {
      const from = this.from(nodeId);
      if (from !== undefined) all.set(nodeId, from);
    }
    return all;
  }

  #nodeOf(nodeId: string): NodeMarks {
    const known = this.#nodes.get(nodeId);
    if (known) return known;
    const node: NodeMarks = {
      streams: new Map(),
      turn: 0,
      turnSinceMs: this.#options.nowMs(),
      newestNs: -1n,
      formerNs: undefined,
      settledNs: undefined,
    };
    this.#nodes.set(nodeId, node);
    return node;
  }

  #turn(node: NodeMarks): void {
    const nowMs = this.#options.nowMs();
    if (nowMs - node.turnSinceMs < SILENT_MS) return;
    node.turn += 1;
    node.turnSinceMs = nowMs;
    node.settledNs = node.formerNs ?? node.settledNs;
    node.formerNs = node.newestNs;
    for (const key of node.streams.keys()) {
      if (node.streams.size <= STREAMS_MAX) break;
      node.streams.delete(key);
    }
  }
}

function isKnown(again: { readonly timestampNs: bigint; left: number }, timestampNs: bigint): boolean {
  if (timestampNs < again.timestampNs) return true;
  if (timestampNs > again.timestampNs || again.left === 0) return false;
  again.left -= 1;
  return true;
}
