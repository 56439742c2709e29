import type { History, Sight } from './types.ts';

/** What the end is not that it should be: every service as it asks, on the engines too, and the same everywhere. */
export function wanted({ end }: History): string[] {
  const { services, containers, sights } = end;
  const tasks = services.flatMap((service) => service.tasks);
  const running = new Set(tasks.filter(({ runs }) => runs).map(({ id }) => id));
  const onEngines = new Set(containers);
  const notAsked = services.flatMap(({ name, replicas, tasks: its }) => {
    const good = its.filter(({ runs, isNew }) => runs && isNew).length;
    if (good === replicas && its.length === replicas) return [];
    return [`service ${name} asks for ${replicas} tasks and has ${good} of ${its.length}`];
  });
  return [
    ...notAsked,
    ...[...running].filter((id) => !onEngines.has(id)).map((id) => `task ${id} runs on no engine`),
    ...containers
      .filter((id) => !running.has(id))
      .map((id) => `an engine runs task ${id}, which is not to run`),
    ...differing(sights),
  ];
}

function differing(sights: readonly Sight[]): string[] {
  return [...Map.groupBy(sights, ({ table }) => table)].flatMap(([table, all]) => {
    const [first, ...others] = all.map((sight) => ({ manager: sight.manager, text: textOf(sight) }));
    return others.flatMap(({ manager, text }) =>
      text === first?.text
        ? []
        : [`managers ${first?.manager} and ${manager} differ in ${table}s: ${first?.text} | ${text}`],
    );
  });
}

function textOf({ objects }: Sight): string {
  return objects
    .map(({ id, version, mark }) => `${id}@${version} ${mark}`)
    .sort()
    .join(', ');
}
