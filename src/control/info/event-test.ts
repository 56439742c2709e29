import { matchesLabels, type Filters } from '../../docker-api/index.ts';
import type { SwarmEvent } from './swarm-events.ts';

const THINGS = ['service', 'node', 'secret', 'config', 'network'] as const;
/** Filters by things that no event of a swarm is about. */
const OTHER_THINGS = ['container', 'image', 'volume', 'daemon', 'plugin'] as const;

/** Whether an event passes the filters of `GET /events`, read as Docker reads them. */
export function eventTest(filters: Filters): (event: SwarmEvent) => boolean {
  const wanted = (key: string): readonly string[] | undefined => {
    const values = filters.get(key);
    return values && values.length > 0 ? values : undefined;
  };
  const things = THINGS.flatMap((type) => {
    const values = wanted(type);
    return values ? [{ type, values }] : [];
  });
  const none = OTHER_THINGS.some((key) => wanted(key));
  return (event) => {
    if (none) return false;
    if (wanted('type')?.includes(event.Type) === false) return false;
    if (wanted('event')?.includes(event.Action) === false) return false;
    if (wanted('scope')?.includes(event.scope) === false) return false;
    const labels = wanted('label');
    if (labels && !matchesLabels(event.Actor.Attributes, labels)) return false;
    return things.every(({ type, values }) => event.Type === type && isAbout(event, values));
  };
}

function isAbout({ Actor }: SwarmEvent, values: readonly string[]): boolean {
  const name = Actor.Attributes['name'] ?? '';
  return values.some((value) => Actor.ID.startsWith(value) || name.startsWith(value));
}
