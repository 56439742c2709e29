import type { Creation, End, History, Seen, Update, Write } from './types.ts';

/** What was acknowledged and is not so at the end, and what was refused and was done all the same. */
export function lost({ writes, sights, end }: History): string[] {
  const byMark = new Map(writes.map((write) => [write.mark, write]));
  const all = [...sights, ...end.sights].filter(({ table }) => table !== 'task');
  const shown = all.flatMap((sight) => sight.objects.map((seen) => ({ sight, seen })));
  const unasked = shown.flatMap(({ sight, seen }) => {
    const write = byMark.get(seen.mark);
    const where = `manager ${sight.manager} shows ${sight.table} ${seen.name} (${seen.id})`;
    if (!write) return [`${where} as nobody asked for: '${seen.mark}'`];
    if (write.outcome === 'refused') return [`${where} as was refused: ${write.mark}`];
    return write.beganMs > sight.endedMs ? [`${where} before it was asked for: ${write.mark}`] : [];
  });
  return [...new Set([...unasked, ...objectsLost(writes, end), ...updatesLost(writes, end)])];
}

function objectsLost(writes: readonly Write[], end: End): string[] {
  const removals = writes.filter((write) => write.kind === 'remove');
  const mayBeGone = idsOf(removals.filter(({ outcome }) => outcome !== 'refused'));
  const mustBeGone = idsOf(removals.filter(({ outcome }) => outcome === 'acknowledged'));
  const kept = [
    ...writes.filter((write) => write.kind === 'create' && write.outcome === 'acknowledged'),
    ...writes.filter((write) => write.kind === 'update' && write.outcome === 'acknowledged'),
  ].filter(({ id }) => !mayBeGone.has(id));
  return end.sights
    .filter(({ table }) => table !== 'task')
    .flatMap(({ manager, table, objects }) => {
      const there = idsOf(objects);
      const gone = new Map(
        kept.filter((one) => one.table === table && !there.has(one.id)).map((one) => [one.id, one]),
      );
      return [
        ...[...gone].map(
          ([id, one]) =>
            `manager ${manager}: ${table} ${id} is lost (${one.kind} ${one.mark} was acknowledged)`,
        ),
        ...objects
          .filter(({ id }) => mustBeGone.has(id))
          .map(({ id }) => `manager ${manager}: ${table} ${id} is there, and its removal was acknowledged`),
      ];
    });
}

/**
 * Writes of one object stand in the order of their bases, because each needs the version it names. So what is there at
 * the end was written by nothing that has a smaller base than an update that was acknowledged.
 */
function updatesLost(writes: readonly Write[], end: End): string[] {
  const byMark = new Map(writes.map((write) => [write.mark, write]));
  const last = new Map<string, Update>();
  for (const write of writes)
    if (write.kind === 'update' && write.outcome === 'acknowledged')
      if (write.base > (last.get(write.id)?.base ?? 0)) last.set(write.id, write);
  return end.sights.flatMap(({ table, manager, objects }) =>
    objects.flatMap((seen: Seen) => {
      const holds = byMark.get(seen.mark);
      const wanted = last.get(seen.id);
      if (!wanted || !holds || holds.kind === 'remove') return [];
      if (baseOf(holds) >= wanted.base) return [];
      return [`manager ${manager}: ${table} ${seen.id} is as of ${holds.mark}: ${wanted.mark} is lost`];
    }),
  );
}

function baseOf(write: Creation | Update): number {
  return write.kind === 'create' ? 0 : write.base;
}

function idsOf(objects: readonly { readonly id: string }[]): ReadonlySet<string> {
  return new Set(objects.map(({ id }) => id));
}
