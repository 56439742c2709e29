import { isIPv4 } from 'node:net';
import { numberOf } from '../rules/sound.ts';
import { addressOf, macOf } from '../rules/hardware-address.ts';
import type { Peer } from './listed-peers.ts';
import { segmentOf, type OverlayView } from './overlay-view.ts';

/** What a network's services say of addresses on other hosts. */
export interface PeersWish {
  /** Addresses that connections are sent to. */
  readonly wanted: ReadonlyMap<string, Peer>;
  /** The host that it is on; '' where that is not known. */
  readonly vtepOf: (peer: Peer) => string;
  /** Others that may still be in use: what there is of them stays. */
  readonly kept: ReadonlySet<string>;
  /** Hosts that are known to be of this swarm. */
  readonly vteps: ReadonlySet<string>;
}

/** Lines of `ip` and of `bridge`; those that add, and those that remove, which may fail. */
export interface PeersPlan {
  readonly add: { readonly ip: readonly string[][]; readonly bridge: readonly string[][] };
  readonly remove: { readonly ip: readonly string[][]; readonly bridge: readonly string[][] };
}

/** Entries of one network that are made for what the kernel has seen itself, at most. */
const MOST_SEEN = 2048;

/**
 * What is missing for the addresses that are wanted, and what is too much of the balancer's own. The engine's entries
 * are never changed, and one of the balancer's that the engine sets becomes the engine's.
 *
 * What comes from a host of the swarm has to be answered: senders that the kernel has seen are made known too.
 */
export function planPeers(view: OverlayView, wish: PeersWish): PeersPlan {
  const add: { ip: string[][]; bridge: string[][] } = { ip: [], bridge: [] };
  for (const [address, peer] of wish.wanted) {
    const segment = segmentOf(view, peer.number);
    if (!segment) continue;
    const { device, ways, neighbours } = segment;
    const way = ways.get(peer.mac);
    const isKnown = neighbours.has(address);
    if (isKnown && way && way.owner !== 'balancer') continue;
    const vtep = wish.vtepOf(peer);
    if (vtep !== '' && (!way || (way.owner === 'balancer' && way.vtep !== vtep)))
      add.bridge.push(['fdb', 'replace', peer.mac, 'dev', device, 'dst', vtep, 'self', 'static']);
    if (!isKnown && (vtep !== '' || way)) add.ip.push(neighbourLine(address, device));
  }
  for (const [address, device] of unanswered(view, wish)) add.ip.push(neighbourLine(address, device));
  return { add, remove: surplus(view, wish) };
}

/** Takes away all that is the balancer's. */
export function planNoPeers(view: OverlayView): PeersPlan['remove'] {
  return surplus(view, { wanted: new Map(), kept: new Set() });
}

/** Whether hosts may be sent to there: what a peer says may be anything. */
export function isVtep(address: string): boolean {
  return isIPv4(address) && !/^(0|127|22[4-9]|2[345]\d)\./.test(address);
}

function neighbourLine(address: string, device: string): string[] {
  const entry = [address, 'lladdr', macOf(address), 'dev', device];
  return ['neigh', 'replace', ...entry, 'nud', 'permanent', 'extern_learn'];
}

/** Addresses, with their devices, that something came from lately, and that answers could not be sent to. */
function unanswered(view: OverlayView, { wanted, vteps }: PeersWish): [string, string][] {
  const found: [string, string][] = [];
  for (const { device, ways, neighbours, from, to, gateway } of view)
    for (const [mac, { vtep, owner }] of ways) {
      if (owner !== 'kernel' || !vteps.has(vtep)) continue;
      const address = addressOf(mac);
      const number = numberOf(address);
      if (number < from || number >= to || address === gateway) continue;
      if (wanted.has(address) || neighbours.has(address)) continue;
      found.push([address, device]);
      if (found.length === MOST_SEEN) return found;
    }
  return found;
}

function surplus(
  view: OverlayView,
  { wanted, kept }: Pick<PeersWish, 'wanted' | 'kept'>,
): PeersPlan['remove'] {
  const isListed = (address: string): boolean => wanted.has(address) || kept.has(address);
  const bridge: string[][] = [];
  const ip: string[][] = [];
  for (const { device, ways, neighbours } of view) {
    for (const [mac, { vtep, owner }] of ways)
      if (owner === 'balancer' && !isListed(addressOf(mac)))
        bridge.push(['fdb', 'del', mac, 'dev', device, 'dst', vtep, 'self']);
    for (const [address, owner] of neighbours) {
      if (owner !== 'balancer' || isListed(address)) continue;
      const way = ways.get(macOf(address));
      if (!way || way.owner === 'balancer') ip.push(['neigh', 'del', address, 'dev', device]);
    }
  }
  return { ip, bridge };
}
