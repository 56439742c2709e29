import type { Creation, History, Sight, Update, Write } from './types.ts';

/**
 * What had been acknowledged when a list was asked for, and is not in it, at whichever manager; unless the list says of itself that it
 * may be old.
 */
export function fresh({ writes, sights }: History): string[] {
  return (['service', 'secret'] as const).flatMap((table) =>
    inTable(
      writes.filter((write) => write.table === table),
      sights.filter((sight) => sight.table === table && !sight.isStale),
    ),
  );
}

function inTable(writes: readonly Write[], sights: readonly Sight[]): string[] {
  const byMark = new Map(writes.map((write) => [write.mark, write]));
  const removedFrom = removals(writes);
  const must = new Map<string, Creation | Update>();
  const gone = new Set<string>();
  return [...inOrder(writes, sights)].flatMap(({ sight, acknowledged }) => {
    for (const write of acknowledged)
      if (write.kind === 'remove') gone.add(write.id);
      else if (baseOf(write) >= baseOf(must.get(write.id))) must.set(write.id, write);
    const shown = new Set(sight.objects.map(({ id }) => id));
    // What may be removed is not looked for any more.
    for (const id of must.keys()) if ((removedFrom.get(id) ?? Infinity) < sight.endedMs) must.delete(id);
    const where = `manager ${sight.manager} shows, at ${sight.beganMs.toFixed(0)} ms,`;
    return [
      ...[...must.values()]
        .filter(({ id }) => !shown.has(id))
        .map(({ id, mark }) => `${where} no ${sight.table} ${id}: ${mark} was acknowledged before`),
      ...sight.objects.flatMap(({ id, mark }) => {
        const [holds, wanted] = [byMark.get(mark), must.get(id)];
        if (gone.has(id)) return [`${where} ${sight.table} ${id}, whose removal was acknowledged before`];
        if (!wanted || !holds || holds.kind === 'remove' || baseOf(holds) >= baseOf(wanted)) return [];
        return [`${where} ${sight.table} ${id} as of ${mark}: ${wanted.mark} was acknowledged before`];
      }),
    ];
  });
}

/** When each object may have been removed, at the earliest. */
function removals(writes: readonly Write[]): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  for (const { kind, outcome, id, beganMs } of writes)
    if (kind === 'remove' && outcome !== 'refused')
      first.set(id, Math.min(beganMs, first.get(id) ?? Infinity));
  return first;
}

/** Each list, in the order in which they were asked for, with the writes that had been acknowledged by then and not before. */
function* inOrder(
  writes: readonly Write[],
  sights: readonly Sight[],
): Generator<{ sight: Sight; acknowledged: Write[] }> {
  const done = writes
    .filter(({ outcome }) => outcome === 'acknowledged')
    .toSorted((a, b) => a.endedMs - b.endedMs);
  let given = 0;
  for (const sight of sights.toSorted((a, b) => a.beganMs - b.beganMs)) {
    const from = given;
    while ((done[given]?.endedMs ?? Infinity) < sight.beganMs) given += 1;
    yield { sight, acknowledged: done.slice(from, given) };
  }
}

function baseOf(write: Creation | Update | undefined): number {
  if (!write) return -1;
  return write.kind === 'create' ? 0 : write.base;
}
