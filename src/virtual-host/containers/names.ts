import { pause } from '../../base/async.ts';
import type { Container } from '../pool/container.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';
import type { Leadership } from '../replication/leadership.ts';
import type { SharedName, SharedNames } from '../replication/shared-names.ts';
import { askForName } from './ask-for-name.ts';
import type { Leftovers } from './leftovers.ts';
import { nameConflict, type Placer } from './placer.ts';

/** How long a new primary asks the engines for what its predecessor may have made at the last moment. */
const NEW_TERM_MS = 15_000;
/** How long the store tells of a name that was given: by then the events of its container are everywhere. */
const TOLD_MS = 5_000;
const LOOK_MS = 50;
/** How long an engine that says nothing is waited for, when it may have what another manager was making. */
const SILENT_MS = 10_000;
const SILENT_LOOK_MS = 500;
/** An engine that has been silent for longer was asked for nothing of late. */
const LONG_SILENT_MS = 60_000;

/**
 * The names of containers, given once in the whole cluster: among the creates of this manager by the placer, among
 * several managers by the discovery store. A name stays in the store until the events of its container have reached the
 * others; engines whose events this manager does not follow at the moment are asked.
 */
export class ContainerNames {
  readonly #pool: Pool;
  readonly #placer: Placer;
  readonly #leftovers: Leftovers;
  readonly #shared: SharedNames | undefined;
  /** Given and still told of in the store. */
  readonly #told = new Map<string, SharedName>();
  #askUntilMs = -Infinity;

  /** `shared` is missing where no other manager gives names at the same time, or none can be asked. */
  constructor(
    { pool, placer, leftovers }: { pool: Pool; placer: Placer; leftovers: Leftovers },
    leadership: Leadership,
    shared: SharedNames | undefined,
  ) {
    this.#pool = pool;
    this.#placer = placer;
    this.#leftovers = leftovers;
    this.#shared = shared;
    leadership.listen(() => {
      this.#askUntilMs = performance.now() + NEW_TERM_MS;
    });
  }

  /**
   * Holds a name while a container gets it; the one that it `replaces` may have it. Throws `conflict` in Docker's words
   * when it is taken.
   */
  async hold(name: string, signal: AbortSignal, replaces?: Container): Promise<() => void> {
    if (name === '') return () => undefined;
    await this.#leftovers.settled(name, signal);
    await this.#forgetGone(name);
    const release = this.#placer.holdName(name, replaces);
    const isTaken = async (): Promise<boolean> => (await this.#holder(name, replaces)) !== undefined;
    let shared: SharedName | undefined;
    try {
      shared = this.#told.get(name) ?? (await this.#shared?.take(name, { isTaken, signal }));
      this.#told.delete(name);
      const mayBeNew = shared !== undefined || performance.now() < this.#askUntilMs;
      if (shared?.contested === true) await this.#hearAll(name, signal);
      const holder = mayBeNew ? await this.#holder(name, replaces) : undefined;
      if (holder !== undefined) throw nameConflict(name, holder);
    } catch (error) {
      shared?.release();
      release();
      throw error;
    }
    return () => {
      release();
      if (shared) this.#giveBack(name, shared);
    };
  }

  /** Gives a name back to the store: at once when nothing got it, else when the others know of it, or it is free again. */
  #giveBack(name: string, shared: SharedName): void {
    const untilMs = performance.now() + TOLD_MS;
    this.#told.set(name, shared);
    const look = (): void => {
      if (this.#told.get(name) !== shared) return;
      if (performance.now() < untilMs && this.#pool.index.named(name).length > 0) {
        setTimeout(look, LOOK_MS).unref();
        return;
      }
      this.#told.delete(name);
      shared.release();
    };
    look();
  }

  /** What is in the way is looked at once more: another manager may just have removed or renamed it. */
  async #forgetGone(name: string): Promise<void> {
    await Promise.all(
      this.#pool.index.named(name).map(async ({ id, node }) => {
        const found = node.healthy ? await askForName(node, id) : 'silent';
        if (found === 'none') node.inventory.remove(id);
        else if (found !== 'silent' && found.name !== name) {
          node.inventory.markContainer(id);
          await this.#pool.settle([node]);
        }
      }),
    );
  }

  /**
   * Another manager was giving the name when it died or lost sight of its engine: waits, for a bounded time, until each
   * engine has said whether it has the container.
   */
  async #hearAll(name: string, signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + SILENT_MS;
    const hear = async (node: EngineNode): Promise<void> => {
      while (performance.now() < untilMs && !signal.aborted && node.state !== 'Disconnected') {
        const it = await askForName(node, name);
        if (it !== 'none' && it !== 'silent' && it.name === name) node.inventory.markContainer(it.id);
        if (it !== 'silent') return;
        await pause(SILENT_LOOK_MS, signal);
      }
    };
    const sinceMs = performance.now() - LONG_SILENT_MS;
    const nodes = this.#pool
      .nodes()
      .filter((node) => node.info !== undefined && (node.silentSinceMs ?? Infinity) > sinceMs);
    await Promise.all(nodes.map(hear));
    await this.#pool.settle(nodes);
  }

  /**
   * The id of a container that has the name, by the index and by the engines that may know more than the index: those
   * that are not followed, and in the first moments of a new primary all.
   */
  async #holder(name: string, replaces?: Container): Promise<string | undefined> {
    const known = this.#pool.index.named(name).find(({ id }) => id !== replaces?.id);
    if (known) return known.id;
    const newTerm = performance.now() < this.#askUntilMs;
    const asked = this.#pool.healthy().filter((node) => newTerm || !node.following);
    const found = await Promise.all(
      asked.map(async (node) => {
        const it = await askForName(node, name);
        if (it === 'none' || it === 'silent' || it.name !== name) return undefined;
        node.inventory.markContainer(it.id);
        return it.id;
      }),
    );
    return found.find((id) => id !== undefined);
  }
}
