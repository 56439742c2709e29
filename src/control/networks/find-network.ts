import { SwarmError } from '../../base/errors.ts';
import { isPredefined } from '../../allocator/index.ts';
import type { Network } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { LocalNetwork } from './local-networks.ts';

/** A network as this manager knows it: the swarm's, with or without a place on the local engine, or the engine's alone. */
export interface KnownNetwork {
  readonly id: string;
  readonly swarm?: Network;
  readonly local?: LocalNetwork;
}

/**
 * What a user means by `term`, as Docker reads it: an id, else the name of one, else the beginning of one id. `scope` ''
 * is any. The rows that stand for networks of every engine are meant only by their id, or with the scope `swarm`.
 * Throws `not-found`, or `invalid` where several fit.
 */
export function findNetwork(
  view: Pick<View, 'get' | 'all'>,
  locals: readonly LocalNetwork[],
  term: string,
  scope = '',
): KnownNetwork {
  const known = knownNetworks(view, locals).filter((one) => scope === '' || scopeOf(one) === scope);
  const exact = known.find(({ id }) => id === term);
  if (exact) return exact;
  const there = known.filter((one) => one.swarm ?? !isRemainder(one.local));
  const named = there.filter(
    (one) => nameOf(one) === term && (scope === 'swarm' || !one.swarm || !isPredefined(one.swarm)),
  );
  const found = named.length > 0 || term === '' ? named : there.filter(({ id }) => id.startsWith(term));
  const [one] = found;
  if (!one) throw new SwarmError('not-found', `network ${term} not found`);
  if (found.length > 1) {
    const by = named.length > 0 ? 'name' : 'ID prefix';
    throw new SwarmError(
      'invalid',
      `network ${term} is ambiguous (${found.length} matches found based on ${by})`,
    );
  }
  return one;
}

/**
 * What an engine still has of a network that the swarm has removed, until the containers on it have ended. Nobody means it by
 * name: the next network of that name can be made and used at once.
 */
export function isRemainder(local: LocalNetwork | undefined): boolean {
  return local?.scope === 'swarm';
}

/** Each network once, the swarm's first. */
function knownNetworks(view: Pick<View, 'get' | 'all'>, locals: readonly LocalNetwork[]): KnownNetwork[] {
  const byId = new Map(locals.map((local) => [local.id, local]));
  const known: KnownNetwork[] = [];
  for (const swarm of view.all('network')) {
    const local = byId.get(swarm.id);
    known.push({ id: swarm.id, swarm, ...(local ? { local } : {}) });
  }
  for (const local of locals) if (!view.get('network', local.id)) known.push({ id: local.id, local });
  return known;
}

function nameOf({ swarm, local }: KnownNetwork): string {
  return swarm?.spec.annotations.name ?? local?.name ?? '';
}

function scopeOf({ swarm, local }: KnownNetwork): string {
  return swarm ? 'swarm' : (local?.scope ?? '');
}
