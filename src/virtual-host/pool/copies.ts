import { isRunning, type Container } from './container.ts';
import { movesOnFailure, swarmIdOf } from './reschedule-labels.ts';

/** How many containers are remembered of which a copy has taken the place. */
const MAX_REPLACED = 10_000;

/**
 * Containers that are made again when their node is lost, and their copies: those with the same swarm id and name on
 * other engines. Of these one counts, and the others are shown nowhere until they are removed:
 * - the one made last;
 * - but none that was never started, while another one runs on a node that is not lost;
 * - and none that is known to have been replaced, even when its copy is gone again.
 */
export class Copies {
  readonly #byId = new Map<string, Container>();
  readonly #groups = new Map<string, Set<Container>>();
  readonly #replaced = new Set<string>();

  /** Takes note of a container as it was just read; gives its other copies, and those it had under another name. */
  put(container: Container): readonly Container[] {
    const former = this.delete(container.id);
    if (!movesOnFailure(container.labels)) return former;
    const key = keyOf(container);
    const group = this.#groups.get(key) ?? new Set();
    const others = new Set([...former, ...group]);
    this.#groups.set(key, group.add(container));
    this.#byId.set(container.id, container);
    return [...others];
  }

  /** Forgets a container; gives the copies that are left. */
  delete(id: string): readonly Container[] {
    const known = this.#byId.get(id);
    if (!known) return [];
    this.#byId.delete(id);
    const key = keyOf(known);
    const group = this.#groups.get(key);
    group?.delete(known);
    if (group?.size === 0) this.#groups.delete(key);
    return [...(group ?? [])];
  }

  /** The container that counts among the copies of this one; undefined when all of them were replaced. */
  counting(container: Container): Container | undefined {
    if (!movesOnFailure(container.labels)) return container;
    const group = this.#groups.get(keyOf(container)) ?? [container];
    let best: Container | undefined;
    for (const each of group) {
      // One engine has a name once: a second one is about to be renamed, or was.
      if (each.node === container.node && each.id !== container.id) continue;
      if (this.#replaced.has(each.id)) continue;
      if (!best || isBetter(each, best)) best = each;
    }
    return best;
  }

  /** Whether a container with this swarm id is known. */
  knows(swarmId: string): boolean {
    for (const container of this.#byId.values()) if (swarmIdOf(container) === swarmId) return true;
    return false;
  }

  /** A copy has taken the place of this container, for good. */
  replace(id: string): void {
    this.#replaced.add(id);
    if (this.#replaced.size <= MAX_REPLACED) return;
    for (const oldest of this.#replaced) {
      this.#replaced.delete(oldest);
      break;
    }
  }

  isReplaced(id: string): boolean {
    return this.#replaced.has(id);
  }
}

function keyOf(container: Container): string {
  return `${swarmIdOf(container)} ${container.name}`;
}

function isBetter(one: Container, other: Container): boolean {
  if (isUnstarted(one) && isAlive(other)) return false;
  if (isUnstarted(other) && isAlive(one)) return true;
  const ageMs = madeAtMs(other) - madeAtMs(one);
  return ageMs === 0 ? one.id > other.id : ageMs < 0;
}

function isUnstarted({ state }: Container): boolean {
  return state === 'created';
}

function isAlive(container: Container): boolean {
  return !container.node.lost && isRunning(container);
}

/** By our clock. */
function madeAtMs({ created, node }: Container): number {
  return created - node.clockSkewMs;
}
