import { randomBytes } from 'node:crypto';
import { SwarmError } from '../../base/errors.ts';
import type { Acquired, Lock, LockOptions } from '../types.ts';
import type { Deadlines } from './deadlines.ts';
import {
  changeTogether,
  childrenOf,
  createNode,
  dataOf,
  deleteNode,
  watchChildren,
  watchData,
} from './nodes.ts';
import { CODE, EPHEMERAL_SEQUENTIAL, OP, zkTrouble } from './protocol.ts';
import type { Session } from './session.ts';

export interface ZkLockPlace {
  /** Owns the lock: its time is the lock's. */
  session: Session;
  /** Follows the holder; its time is short, so that it soon notices a server that hangs. */
  watching: Session;
  deadlines: Deadlines;
  /** With a leading slash. */
  path: string;
}

/**
 * The lock of the Go original's library (go-zookeeper): each who wants it makes an ephemeral, sequential child of the
 * lock's node, `_c_<32 hex digits>-lock-<number>`, and the lowest number holds it. The original then writes its value
 * into the lock's node, where it stays behind; ours stands in the child as well, and goes with it.
 */
export class ZkLock implements Lock {
  readonly #place: ZkLockPlace;
  readonly #options: LockOptions;
  /** Names our child even where the answer to its creation was lost. */
  readonly #prefix = `_c_${randomBytes(16).toString('hex')}-lock-`;
  #child: string | undefined;

  constructor(place: ZkLockPlace, options: LockOptions) {
    this.#place = place;
    this.#options = options;
  }

  async acquire({ signal }: { signal: AbortSignal }): Promise<Acquired> {
    const { session, path } = this.#place;
    const { ttlMs, value } = this.#options;
    await this.#checkTime(signal);
    // From here on a child may be there whatever happens; it must not outlive who wants it.
    this.#expireIn(ttlMs);
    let queue = await this.#queue(signal);
    if (queue.length === 0) {
      const child = { op: OP.create, path: `${path}/${this.#prefix}`, flags: EPHEMERAL_SEQUENTIAL } as const;
      await createNode(session, { ...child, data: Buffer.from(value) }, signal);
      queue = await this.#queue(signal);
    }
    const [first] = queue;
    if (first?.startsWith(this.#prefix) !== true) {
      if (queue.some((child) => child.startsWith(this.#prefix))) await this.#withdraw(signal);
      else this.#place.deadlines.cancel(this.#prefix);
      return { kind: 'taken', by: first === undefined ? '' : ((await this.#valueOf(first, signal)) ?? '') };
    }
    this.#child = `${path}/${first}`;
    const setData = { op: OP.setData, path, data: Buffer.from(value) } as const;
    const code = await changeTogether(session, [{ op: OP.check, path: this.#child }, setData], signal);
    if (code !== CODE.ok) throw zkTrouble(code, path);
    this.#expireIn(ttlMs);
    return { kind: 'held' };
  }

  async renew({ signal }: { signal: AbortSignal }): Promise<boolean> {
    const child = this.#child;
    if (child === undefined) return false;
    await this.#checkTime(signal);
    const code = await changeTogether(this.#place.session, [{ op: OP.check, path: child }], signal);
    // Its time may have run out while the answer was on its way.
    if (this.#child !== child) return false;
    if (code === CODE.ok) this.#expireIn(this.#options.ttlMs);
    else if (code !== CODE.noNode) throw zkTrouble(code, child);
    else this.#child = undefined;
    return code === CODE.ok;
  }

  async release({ signal }: { signal: AbortSignal }): Promise<void> {
    this.#child = undefined;
    try {
      await this.#withdraw(signal);
    } catch (error) {
      this.#expireIn(0);
      throw error;
    }
  }

  async *watch({ signal }: { signal: AbortSignal }): AsyncGenerator<string | undefined> {
    const { watching, path } = this.#place;
    let last: { value: string | undefined } | undefined;
    while (!signal.aborted) {
      // What is asked for in this round is not waited for in the next.
      const round = new AbortController();
      const either = AbortSignal.any([signal, round.signal]);
      try {
        const { children, changed } = await watchChildren(watching, path, either);
        const [first] = inOrder(children ?? []);
        const own = first === undefined ? '' : await dataOf(watching, `${path}/${first}`, either);
        const changes = [changed];
        let value = own === '' ? undefined : own;
        if (first !== undefined && own === '') {
          // The original's: its value comes into the lock's node a moment after it holds it.
          const left = await watchData(watching, path, either);
          value = left.data === '' ? undefined : left.data;
          changes.push(left.changed);
        }
        // The holder left between the two questions: the children have changed.
        if (own !== undefined && (!last || last.value !== value)) {
          last = { value };
          yield value;
        }
        await Promise.race(changes);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      } finally {
        round.abort();
      }
    }
  }

  /**
   * A holder counts on the whole time; a session that ends sooner would give the lock to a second one. Each connection is
   * granted a time of its own.
   */
  async #checkTime(signal: AbortSignal): Promise<void> {
    const grantedMs = await this.#place.session.grantedMs(signal);
    const { ttlMs } = this.#options;
    if (grantedMs >= Math.floor(ttlMs)) return;
    const seconds = (ms: number): string => `${ms / 1000}s`;
    throw new SwarmError(
      'unavailable',
      `ZooKeeper grants sessions of ${seconds(grantedMs)} at most, a lock for ${seconds(ttlMs)} needs as much: ` +
        'take a shorter time, or raise maxSessionTimeout there',
    );
  }

  /** The children, lowest number first. */
  async #queue(signal: AbortSignal): Promise<string[]> {
    return inOrder((await childrenOf(this.#place.session, this.#place.path, signal)) ?? []);
  }

  async #valueOf(child: string, signal: AbortSignal): Promise<string | undefined> {
    const { session, path } = this.#place;
    return (await dataOf(session, `${path}/${child}`, signal)) || (await dataOf(session, path, signal));
  }

  #expireIn(ms: number): void {
    this.#place.deadlines.set(this.#prefix, ms, (signal) => {
      this.#child = undefined;
      return this.#withdraw(signal);
    });
  }

  /** Deletes what is ours; when that fails it is tried again until our time is over. */
  async #withdraw(signal: AbortSignal): Promise<void> {
    const { session, deadlines, path } = this.#place;
    const queue = await this.#queue(signal);
    const ours = queue.filter((child) => child.startsWith(this.#prefix));
    for (const child of ours) await deleteNode(session, `${path}/${child}`, signal);
    // One of a family of locks (`names/web`) takes its node with it, or they would pile up; the others stay, because
    // the original's managers watch them.
    if (ours.length === queue.length && ours.length > 0 && this.#options.name.includes('/'))
      await deleteNode(session, path, signal);
    deadlines.cancel(this.#prefix);
  }
}

/** By the number at the end; what has none is no part of the queue. */
function inOrder(children: readonly string[]): string[] {
  const numbered = children.flatMap((child) => {
    const number = /-(-?\d+)$/.exec(child)?.[1];
    return number === undefined ? [] : [{ child, number: Number(number) }];
  });
  return numbered.sort((one, other) => one.number - other.number).map(({ child }) => child);
}
