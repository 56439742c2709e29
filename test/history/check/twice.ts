import type { History, Sight } from './types.ts';

/** Names, published ports and addresses that two have at one time: in one answer of one manager. */
export function twice({ sights, end }: History): string[] {
  const found = [...sights, ...end.sights].flatMap(inOne);
  const together = Map.groupBy(end.sights, ({ manager }) => manager);
  // At the end nothing changes any more: services and tasks are of one time.
  const across = [...together].flatMap(([manager, all]) =>
    doubled(
      all.flatMap(({ objects }) => objects),
      ({ addresses }) => addresses,
      `manager ${manager} at the end: address`,
    ),
  );
  return [...new Set([...found, ...across])];
}

type Objects = Sight['objects'];

function inOne({ manager, table, objects }: Sight): string[] {
  const where = `manager ${manager}`;
  return [
    ...doubled(objects, ({ id }) => [id], `${where}: ${table}`),
    ...(table === 'task' ? [] : doubled(objects, ({ name }) => [name], `${where}: ${table} name`)),
    ...doubled(objects, ({ ports }) => ports, `${where}: port`),
    ...doubled(objects, ({ addresses }) => addresses, `${where}: address`),
  ];
}

/** What is there more than once among what these objects have. */
function doubled(
  objects: Objects,
  things: (object: Objects[number]) => readonly string[],
  what: string,
): string[] {
  const owners = new Map<string, string>();
  return objects.flatMap((object) =>
    things(object).flatMap((thing) => {
      const owner = owners.get(thing);
      owners.set(thing, object.id);
      return owner === undefined ? [] : [`${what} ${thing} is given twice: ${owner}, ${object.id}`];
    }),
  );
}
