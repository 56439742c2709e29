import { SwarmError } from '../../base/errors.ts';
import type { Container } from './container.ts';
import { Copies } from './copies.ts';

const BUCKET = 4;

/**
 * Every container of the pool, found by id, id prefix and name without walking the pool.
 * `version` changes with every change, so that answers made from the whole can be kept.
 */
export class ContainerIndex {
  readonly #byId = new Map<string, Container>();
  readonly #byPrefix = new Map<string, Set<Container>>();
  readonly #byName = new Map<string, Set<Container>>();
  /** Which of the copies of a container counts; the others are not in the index. */
  readonly copies = new Copies();
  #newestFirst: Container[] | undefined;
  version = 0;

  get size(): number {
    return this.#byId.size;
  }

  put(container: Container): void {
    this.version += 1;
    const former = this.#byId.get(container.id);
    if (former) this.#unlink(former);
    if (this.#newestFirst) {
      const at = placeOf(this.#newestFirst, container.created);
      if (!former) this.#newestFirst.splice(at, 0, container);
      else if (former.created === container.created)
        this.#newestFirst[indexFrom(this.#newestFirst, at, former)] = container;
      else this.#newestFirst = undefined;
    }
    this.#byId.set(container.id, container);
    addTo(this.#byPrefix, container.id.slice(0, BUCKET), container);
    addTo(this.#byName, container.name, container);
  }

  delete(id: string): void {
    const container = this.#byId.get(id);
    if (!container) return;
    this.version += 1;
    this.#byId.delete(id);
    this.#unlink(container);
    const sorted = this.#newestFirst;
    sorted?.splice(indexFrom(sorted, placeOf(sorted, container.created), container), 1);
  }

  get(id: string): Container | undefined {
    return this.#byId.get(id);
  }

  named(name: string): readonly Container[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  withPrefix(prefix: string): Container[] {
    if (prefix === '') return [];
    if (prefix.length >= BUCKET) {
      const bucket = this.#byPrefix.get(prefix.slice(0, BUCKET)) ?? [];
      return [...bucket].filter((container) => container.id.startsWith(prefix));
    }
    return [...this.#byId.values()].filter((container) => container.id.startsWith(prefix));
  }

  /** In the order of `docker ps`. The array is the index's own: do not change it. */
  newestFirst(): readonly Container[] {
    this.#newestFirst ??= [...this.#byId.values()].sort((a, b) => b.created - a.created);
    return this.#newestFirst;
  }

  #unlink(container: Container): void {
    removeFrom(this.#byPrefix, container.id.slice(0, BUCKET), container);
    removeFrom(this.#byName, container.name, container);
  }
}

/** Where a container of this age stands, or would stand, in a list that begins with the newest. */
function placeOf(sorted: readonly Container[], created: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.created ?? 0) > created) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The place of an entry among those of its age, which begin at `from`. */
function indexFrom(sorted: readonly Container[], from: number, container: Container): number {
  const at = sorted.indexOf(container, from);
  if (at < 0) throw new SwarmError('internal', 'the list of containers is out of order');
  return at;
}

function addTo(map: Map<string, Set<Container>>, key: string, container: Container): void {
  const set = map.get(key);
  if (set) set.add(container);
  else map.set(key, new Set([container]));
}

function removeFrom(map: Map<string, Set<Container>>, key: string, container: Container): void {
  const set = map.get(key);
  set?.delete(container);
  if (set?.size === 0) map.delete(key);
}
