import { SwarmError } from '../../base/errors.ts';

/** What the choice of a driver needs to know of a node. */
export interface DriverNode {
  /** Its engine has a cluster store, and shares networks with all engines that use the same. */
  readonly hasStore: boolean;
  /** Its engine is a manager of a swarm of its own, which shares networks within that. */
  readonly managesSwarm: boolean;
}

/**
 * The driver of a new network, and the nodes where it can be made. When none is asked for it is the one that
 * reaches farthest: overlay where an engine has a cluster store, else bridge. Throws `invalid` when an overlay is
 * asked for and no engine can share it.
 */
export function chooseDriver<N extends DriverNode>(
  asked: string,
  healthy: readonly N[],
): { readonly driver: string; readonly nodes: readonly N[] } {
  const storing = healthy.filter(({ hasStore }) => hasStore);
  if (asked === '' || asked === 'default') {
    return storing.length > 0 ? { driver: 'overlay', nodes: storing } : { driver: 'bridge', nodes: healthy };
  }
  if (asked !== 'overlay') return { driver: asked, nodes: healthy };
  if (storing.length > 0) return { driver: asked, nodes: storing };
  const managing = healthy.filter(({ managesSwarm }) => managesSwarm);
  if (managing.length > 0) return { driver: asked, nodes: managing };
  throw new SwarmError(
    'invalid',
    'an overlay network needs a store that the engines share, and no healthy engine has one: start them with ' +
      '--cluster-store and --cluster-advertise (Docker Engine up to 20.10), or use the driver bridge',
  );
}
