import type { GenericResource } from '../../model/index.ts';

/** A kind that a task reserves, and how much or how many of it. */
export interface GenericDemand {
  readonly kind: string;
  readonly amount: number;
}

/**
 * What a node's tasks hold of the resources that its operator named. A kind is an amount, or a set of things with
 * names of their own; tasks ask for a number of either, as in SwarmKit. What the node has may change under its tasks:
 * what they hold and it has not counts for nothing.
 */
export class GenericUse {
  readonly #amounts = new Map<string, number>();
  /** By kind and name, how many tasks hold it: more than one only while two managers disagree. */
  readonly #names = new Map<string, Map<string, number>>();

  add(assigned: readonly GenericResource[], sign: 1 | -1): void {
    for (const { kind, value } of assigned) {
      if (typeof value === 'number') {
        this.#amounts.set(kind, (this.#amounts.get(kind) ?? 0) + sign * value);
        continue;
      }
      const names = this.#names.get(kind) ?? new Map<string, number>();
      this.#names.set(kind, names);
      const holders = (names.get(value) ?? 0) + sign;
      if (holders > 0) names.set(value, holders);
      else names.delete(value);
    }
  }

  /** How much of a kind is left of what the node has. */
  free(had: readonly GenericResource[], kind: string): number {
    const first = had.find((resource) => resource.kind === kind);
    if (!first) return 0;
    if (typeof first.value === 'number') return first.value - (this.#amounts.get(kind) ?? 0);
    return this.#freeNames(had, kind, Infinity).length;
  }

  /** What a task gets that asks for `demands`; the first names that are free. */
  claim(had: readonly GenericResource[], demands: readonly GenericDemand[]): GenericResource[] {
    return demands.flatMap(({ kind, amount }): GenericResource[] => {
      const first = had.find((resource) => resource.kind === kind);
      if (!first || !(amount > 0)) return [];
      if (typeof first.value === 'number') return [{ kind, value: amount }];
      return this.#freeNames(had, kind, amount).map((value) => ({ kind, value }));
    });
  }

  #freeNames(had: readonly GenericResource[], kind: string, limit: number): string[] {
    const held = this.#names.get(kind);
    const free = new Set<string>();
    for (const { kind: other, value } of had) {
      if (free.size >= limit) break;
      if (other === kind && typeof value === 'string' && !held?.has(value)) free.add(value);
    }
    return [...free];
  }
}
