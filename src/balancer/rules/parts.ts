import type { Part, Place, Unit } from './types.ts';

/** The one table of each place. */
export const TABLE = 'ip skep';

/** A chain with exactly these rules, made or filled anew. */
export function chain(name: string, rules: readonly string[]): Part {
  const empty = [`add chain ${TABLE} ${name}`, `flush chain ${TABLE} ${name}`];
  return {
    id: `chain ${name}`,
    add: [...empty, ...rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`)],
    free: empty,
    remove: [...empty, `delete chain ${TABLE} ${name}`],
  };
}

/**
 * An element of a set. nft takes one that is there already, but not the removal of one that is not: it is added for
 * that, so that no transaction fails when two services claim one.
 */
export function member(set: string, key: string): Part {
  const element = `element ${TABLE} ${set} { ${key} }`;
  return { id: element, add: [`add ${element}`], free: [], remove: [`add ${element}`, `delete ${element}`] };
}

/** An element of a map to verdicts. A key leads to the same chain whoever claims it, as nft takes no second verdict for one. */
export function pathTo(map: string, key: string, target: string): Part {
  const element = `element ${TABLE} ${map} { ${key} : goto ${target} }`;
  return {
    id: `element ${map} ${key}`,
    add: [`add ${element}`],
    free: [],
    remove: [`add chain ${TABLE} ${target}`, `add ${element}`, `delete ${element}`],
  };
}

/** A unit of these parts, of which each may rest on those before it. */
export function unitOf(
  place: Place,
  key: string,
  parts: readonly Part[],
  addresses: readonly string[],
): Unit {
  const add = parts.flatMap((part) => part.add);
  const remove = parts.toReversed().flatMap((part) => part.remove);
  return { place, key, fingerprint: [...add, ...addresses].join('\n'), add, remove, parts, addresses };
}

/** What is to be removed and added to make one unit of another: the parts that differ. */
export function change(
  before: Unit | undefined,
  after: Unit | undefined,
): { readonly remove: readonly string[]; readonly add: readonly string[] } {
  const had = new Map(before?.parts.map((part) => [part.id, part]));
  const has = new Set(after?.parts.map(({ id }) => id));
  const gone = before?.parts.filter(({ id }) => !has.has(id)) ?? [];
  const changed = after?.parts.filter(({ id, add }) => had.get(id)?.add.join('\n') !== add.join('\n')) ?? [];
  const freed = gone.length === 0 ? [] : changed.flatMap(({ id }) => had.get(id)?.free ?? []);
  return {
    remove: [...freed, ...gone.toReversed().flatMap((part) => part.remove)],
    add: changed.flatMap((part) => part.add),
  };
}
