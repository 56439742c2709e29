import type { Container } from '../pool/container.ts';
import type { Pool } from '../pool/pool.ts';
import type { Leadership } from '../replication/leadership.ts';
import type { SharedName, SharedNames } from '../replication/shared-names.ts';
import { askForName, askSurely } from './ask-for-name.ts';
import type { Leftovers, ReleaseName } from './leftovers.ts';
import { nameConflict, type Placer } from './placer.ts';

/** How long a new primary asks the engines for what its predecessor may have made at the last moment. */
const NEW_TERM_MS = 15_000;
/** How long the store tells of a name that was given: by then the events of its container are everywhere. */
const TOLD_MS = 5_000;
const LOOK_MS = 50;

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
  async hold(name: string, signal: AbortSignal, replaces?: Container): Promise<ReleaseName> {
    if (name === '') return () => undefined;
    await this.#leftovers.settled(name, signal);
    await this.#forgetGone(name);
    const release = this.#placer.holdName(name, replaces);
    const isTaken = async (): Promise<boolean> => (await this.#holder(name, replaces)) !== undefined;
    let shared: SharedName | undefined;
    try {
      shared = this.#told.get(name) ?? (await this.#shared?.take(name, { isTaken, signal }));
      this.#told.delete(name);
      const unheard = shared?.contested === true || performance.now() < this.#askUntilMs;
      const holder =
        shared !== undefined || unheard
          ? await this.#holder(name, replaces, unheard ? signal : undefined)
          : undefined;
      if (holder !== undefined) throw nameConflict(name, holder);
      // Who leaves while it is asked for has not heard all.
      signal.throwIfAborted();
    } catch (error) {
      shared?.release();
      release();
      throw error;
    }
    return (known = true) => {
      release();
      if (known && shared) this.#giveBack(name, shared);
      else shared?.abandon();
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
   * The id of a container that has the name, by the index and by the engines that may know more than the index: those
   * that are not followed; with a signal all, each surely, as another manager may have died while it gave the name.
   */
  async #holder(name: string, replaces?: Container, surely?: AbortSignal): Promise<string | undefined> {
    const known = (): string | undefined =>
      this.#pool.index.named(name).find(({ id }) => id !== replaces?.id)?.id;
    const before = known();
    if (before !== undefined) return before;
    const asked = surely
      ? this.#pool.nodes().filter(({ info }) => info !== undefined)
      : this.#pool.healthy().filter((node) => !node.following);
    const found = await Promise.all(
      asked.map(async (node) => {
        const it = await (surely ? askSurely(node, name, surely) : askForName(node, name));
        if (it === 'none' || it === 'silent' || it.name !== name) return undefined;
        node.inventory.markContainer(it.id);
        return it.id;
      }),
    );
    return found.find((id) => id !== undefined) ?? known();
  }
}
