import type { Creation, End, History, Removal, Revision, Seen, Sight, Update } from './types.ts';

/** When something was asked for and answered. */
type When = readonly [beganMs: number, endedMs: number];

const SERVICE = { table: 'service', manager: 0, outcome: 'acknowledged' } as const;

export function creation(mark: string, id: string, [beganMs, endedMs]: When): Creation {
  return { kind: 'create', ...SERVICE, mark, id, beganMs, endedMs };
}

export function update(mark: string, id: string, base: number, [beganMs, endedMs]: When): Update {
  return { kind: 'update', ...SERVICE, mark, id, base, beganMs, endedMs };
}

export function removal(mark: string, id: string, [beganMs, endedMs]: When): Removal {
  return { kind: 'remove', ...SERVICE, mark, id, beganMs, endedMs };
}

/** An object `id`, called by its id. */
export function seen(id: string, version: number, mark: string, parts: Partial<Seen> = {}): Seen {
  return { id, name: `name-${id}`, version, mark, ports: [], addresses: [], ...parts };
}

export function sight([beganMs, endedMs]: When, objects: readonly Seen[], parts: Partial<Sight> = {}): Sight {
  return { table: 'service', beganMs, endedMs, manager: 0, life: 0, isStale: false, objects, ...parts };
}

export function revision([beganMs, endedMs]: When, value: number, parts: Partial<Revision> = {}): Revision {
  return { beganMs, endedMs, manager: 0, life: 0, revision: value, ...parts };
}

/** An end at which two managers show these services, and nothing runs. */
export function endOf(...objects: readonly Seen[]): End {
  const sights = [0, 1].map((manager) => sight([1_000, 1_001], objects, { manager }));
  return { sights, services: [], containers: [] };
}

/** A history in which all is well: a service, made and changed, and one made and removed. */
export function good(parts: Partial<History> = {}): History {
  return {
    writes: [
      creation('made', 'a', [0, 10]),
      update('changed', 'a', 1, [20, 30]),
      creation('made-2', 'b', [0, 10]),
      removal('removed', 'b', [40, 50]),
    ],
    sights: [
      sight([11, 12], [seen('a', 1, 'made'), seen('b', 2, 'made-2')]),
      sight([31, 32], [seen('a', 3, 'changed'), seen('b', 2, 'made-2')]),
      sight([51, 52], [seen('a', 3, 'changed')]),
    ],
    revisions: [revision([0, 10], 1), revision([20, 30], 3)],
    end: endOf(seen('a', 3, 'changed')),
    ...parts,
  };
}
