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
 * What is missing for the addresses that are wanted, and what is too much of the balancer's own, as far as it concerns these
 * addresses. The engine's entries are never changed, and one of the balancer's that the engine sets becomes the engine's.
 *
 * What comes from a host of the swarm has to be answered: senders that the kernel has seen are made known too.
 */
export function planPeers(
  view: OverlayView,
  wish: PeersWish,
  addresses: Iterable<string> = addressesOf(view, wish),
): PeersPlan {
  const plan = { add: emptyLines(), remove: emptyLines() };
  let seen = 0;
  for (const address of addresses) {
    if (!isIPv4(address)) continue;
    const peer = wish.wanted.get(address);
    if (peer) addWanted(view, wish, address, peer, plan.add);
    else {
      const mac = macOf(address);
      const device = seen < MOST_SEEN ? unansweredOn(view, wish, address, mac) : undefined;
      if (device !== undefined) {
        plan.add.ip.push(neighbourLine(address, mac, device));
        seen++;
      }
      if (!wish.kept.has(address)) removeOurs(view, address, mac, plan.remove);
    }
  }
  return plan;
}

/** Takes away all that is the balancer's. */
export function planNoPeers(view: OverlayView): PeersPlan['remove'] {
  const nothing = { wanted: new Map(), kept: new Set<string>(), vteps: new Set<string>(), vtepOf: () => '' };
  return planPeers(view, nothing).remove;
}

/** All that there is anything to plan for. */
export function addressesOf(view: OverlayView, { wanted }: Pick<PeersWish, 'wanted'>): Set<string> {
  const all = new Set(wanted.keys());
  for (const { neighbours, ways } of view) {
    for (const address of neighbours.keys()) all.add(address);
    for (const mac of ways.keys()) all.add(addressOf(mac));
  }
  return all;
}

/** Whether hosts may be sent to there: what a peer says may be anything. */
export function isVtep(address: string): boolean {
  return isIPv4(address) && !/^(0|127|22[4-9]|2[345]\d)\./.test(address);
}

interface Lines {
  readonly ip: string[][];
  readonly bridge: string[][];
}

function emptyLines(): Lines {
  return { ip: [], bridge: [] };
}

function neighbourLine(address: string, mac: string, device: string): string[] {
  return ['neigh', 'replace', address, 'lladdr', mac, 'dev', device, 'nud', 'permanent', 'extern_learn'];
}

function addWanted(view: OverlayView, wish: PeersWish, address: string, peer: Peer, add: Lines): void {
  const segment = segmentOf(view, peer.number);
  if (!segment) return;
  const { device, ways, neighbours } = segment;
  const way = ways.get(peer.mac);
  const isKnown = neighbours.has(address);
  if (isKnown && way && way.owner !== 'balancer') return;
  const vtep = wish.vtepOf(peer);
  if (vtep !== '' && (!way || (way.owner === 'balancer' && way.vtep !== vtep)))
    add.bridge.push(['fdb', 'replace', peer.mac, 'dev', device, 'dst', vtep, 'self', 'static']);
  if (!isKnown && (vtep !== '' || way)) add.ip.push(neighbourLine(address, peer.mac, device));
}

/** The device of an address that something came from lately, and that answers could not be sent to. */
function unansweredOn(
  view: OverlayView,
  { vteps }: PeersWish,
  address: string,
  mac: string,
): string | undefined {
  const segment = segmentOf(view, numberOf(address));
  const way = segment?.ways.get(mac);
  if (!segment || way?.owner !== 'kernel' || !vteps.has(way.vtep)) return undefined;
  return address === segment.gateway || segment.neighbours.has(address) ? undefined : segment.device;
}

function removeOurs(view: OverlayView, address: string, mac: string, remove: Lines): void {
  for (const { device, ways, neighbours } of view) {
    const way = ways.get(mac);
    if (way?.owner === 'balancer')
      remove.bridge.push(['fdb', 'del', mac, 'dev', device, 'dst', way.vtep, 'self']);
    if (neighbours.get(address) === 'balancer' && (!way || way.owner === 'balancer'))
      remove.ip.push(['neigh', 'del', address, 'dev', device]);
  }
}
