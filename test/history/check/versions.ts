import type { History, Revision, Sight } from './types.ts';

/** Versions that were taken twice, that mean two things, or that went backwards on one manager. */
export function versions(history: History): string[] {
  const sights = [...history.sights, ...history.end.sights];
  return [
    ...takenTwice(history),
    ...meaningTwo(sights),
    ...lives(sights).flatMap(backwards),
    ...lives(history.revisions).flatMap(revisionsBackwards),
  ];
}

/** An update needs the version that it names, and ends it. */
function takenTwice({ writes }: History): string[] {
  const first = new Map<string, string>();
  return writes.flatMap((write) => {
    if (write.kind !== 'update' || write.outcome !== 'acknowledged') return [];
    const key = `${write.table} ${write.id} at version ${write.base}`;
    const other = first.get(key);
    first.set(key, other ?? write.mark);
    return other === undefined ? [] : [`${key} was updated twice: ${other}, ${write.mark}`];
  });
}

function meaningTwo(sights: readonly Sight[]): string[] {
  const first = new Map<string, string>();
  const found = new Set<string>();
  for (const { table, objects } of sights)
    for (const { id, version, mark } of objects) {
      const key = `${table} ${id} at version ${version}`;
      const other = first.get(key) ?? mark;
      first.set(key, other);
      if (other !== mark) found.add(`${key} is two things: ${other}, ${mark}`);
    }
  return [...found];
}

interface Interval {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly manager: number;
  readonly life: number;
}

/** What each process of each manager answered. */
function lives<T extends Interval>(intervals: readonly T[]): T[][] {
  const groups = Map.groupBy(intervals, ({ manager, life }) => `${manager} ${life}`);
  return [...groups.values()];
}

/** Each, in the order in which they began, with those that had ended by then and were not given before. */
function* inOrder<T extends Interval>(all: readonly T[]): Generator<{ now: T; ended: T[] }> {
  const byEnd = all.toSorted((a, b) => a.endedMs - b.endedMs);
  let given = 0;
  for (const now of all.toSorted((a, b) => a.beganMs - b.beganMs)) {
    const from = given;
    while ((byEnd[given]?.endedMs ?? Infinity) < now.beganMs) given += 1;
    yield { now, ended: byEnd.slice(from, given) };
  }
}

/** What one process showed as older than it had shown before, or again after it had shown that it was gone. */
function backwards(sights: readonly Sight[]): string[] {
  return [...Map.groupBy(sights, ({ table }) => table).values()].flatMap((ofTable) => {
    const known = new Map<string, number>();
    const gone = new Set<string>();
    return [...inOrder(ofTable)].flatMap(({ now, ended }) => {
      for (const { id, version } of ended.flatMap(({ objects }) => objects))
        known.set(id, Math.max(version, known.get(id) ?? 0));
      for (const { id } of goneIn(ended, ofTable)) gone.add(id);
      const where = `manager ${now.manager} (start ${now.life}) shows ${now.table}`;
      return now.objects.flatMap(({ id, version }) => {
        if (gone.has(id)) return [`${where} ${id} again, which was gone`];
        const before = known.get(id) ?? 0;
        return version < before ? [`${where} ${id} at version ${version} after ${before}`] : [];
      });
    });
  });
}

/** Objects that are missing in one of `ended`, and were in a list that had ended before that began. */
function goneIn(ended: readonly Sight[], all: readonly Sight[]): { readonly id: string }[] {
  return ended.flatMap(({ beganMs, objects }) => {
    const there = new Set(objects.map(({ id }) => id));
    const before = all.filter(({ endedMs }) => endedMs < beganMs);
    return before.flatMap((sight) => sight.objects).filter(({ id }) => !there.has(id));
  });
}

function revisionsBackwards(revisions: readonly Revision[]): string[] {
  let highest = 0;
  return [...inOrder(revisions)].flatMap(({ now, ended }) => {
    for (const { revision } of ended) highest = Math.max(highest, revision);
    const { manager, revision } = now;
    return revision < highest ? [`manager ${manager} says revision ${revision} after ${highest}`] : [];
  });
}
