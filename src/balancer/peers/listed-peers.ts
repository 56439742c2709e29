import { isIPv4 } from 'node:net';
import { numberOf } from '../rules/sound.ts';
import { macOf } from '../rules/hardware-address.ts';
import type { BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';

/** An address on another node, and where the managers see that. */
export interface Peer {
  /** Of the address; `macOf` and `numberOf`. */
  readonly mac: string;
  readonly number: number;
  readonly nodeId: string;
  /** '' where it is not known. */
  readonly nodeAddress: string;
}

/** Addresses on a network that are on other nodes. */
export interface ListedPeers {
  /** New connections are sent there. */
  readonly wanted: ReadonlyMap<string, Peer>;
  /** Connections may still be open. */
  readonly kept: ReadonlySet<string>;
}

/** A service's addresses are worked out once; it is a new object when it changes. */
const known = new WeakMap<ServiceEndpoints, ReadonlyMap<string, Peer>>();

/** Of a network's services, and of the nodes that clients come in by. */
export function listPeers(
  ownNodeId: string,
  { entries, address }: BalancedNetwork,
  services: Iterable<ServiceEndpoints>,
): ListedPeers {
  const wanted = new Map<string, Peer>();
  const kept = new Set<string>();
  for (const entry of entries) put(wanted, entry.address, { ...entry, nodeAddress: '' });
  for (const service of services) {
    const peers = known.get(service) ?? servingPeers(service);
    known.set(service, peers);
    for (const [one, peer] of peers) wanted.set(one, peer);
    for (const { state, address: one } of service.backends) if (state === 'leaving') kept.add(one);
  }
  for (const [one, { nodeId }] of wanted) if (nodeId === ownNodeId) wanted.delete(one);
  wanted.delete(address.split('/')[0] ?? '');
  return { wanted, kept };
}

function servingPeers({ backends }: ServiceEndpoints): Map<string, Peer> {
  const peers = new Map<string, Peer>();
  for (const one of backends) if (one.state === 'serving') put(peers, one.address, one);
  return peers;
}

/** What a manager says may be anything. */
function put(
  peers: Map<string, Peer>,
  address: string,
  { nodeId, nodeAddress }: Pick<Peer, 'nodeId' | 'nodeAddress'>,
): void {
  if (isIPv4(address))
    peers.set(address, { mac: macOf(address), number: numberOf(address), nodeId, nodeAddress });
}
