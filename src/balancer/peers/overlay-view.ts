import { isIPv4 } from 'node:net';
import { asArray, asNumber, asObject, asString, type Json } from '../../base/json.ts';
import { numberOf } from '../rules/sound.ts';

/** Whose an entry is: the engine's, which has it by gossip; the balancer's; or the kernel's, which saw a packet come that way. */
export type EntryOwner = 'engine' | 'balancer' | 'kernel';

/** A subnet of an overlay network on this host: the engine makes a VXLAN device and a bridge for each. */
export interface Segment {
  readonly device: string;
  /** Its first address and the one after its last, as numbers. */
  readonly from: number;
  readonly to: number;
  /** The bridge's own address, the gateway: `10.0.9.1`. */
  readonly gateway: string;
  /** Whose the hardware addresses of addresses are. */
  readonly neighbours: Map<string, EntryOwner>;
  /** The hosts that hardware addresses are behind. */
  readonly ways: Map<string, Way>;
}

/** What an overlay's namespace knows of containers on other hosts. */
export type OverlayView = readonly Segment[];

export interface Way {
  /** The host's address, as engines send to it. */
  readonly vtep: string;
  readonly owner: EntryOwner;
}

const MARK = '--';
/** Prints what `readOverlay` reads: three documents. */
export const SHOW_OVERLAY = [
  'ip -j addr show',
  `echo && echo ${MARK}`,
  'ip -j neigh show nud all',
  `echo && echo ${MARK}`,
  'bridge -j fdb show',
].join(' && ');

/** The segment of an IPv4 address (`numberOf`), if the network has it on this host. */
export function segmentOf(view: OverlayView, number: number): Segment | undefined {
  return view.find(({ from, to }) => number >= from && number < to);
}

/** What SHOW_OVERLAY prints, in its three parts. */
export interface OverlayListing {
  readonly links: string;
  readonly neighbours: string;
  readonly ways: string;
}

/** Throws where something is missing. */
export function splitOverlay(text: string): OverlayListing {
  const [links, neighbours, ways, ...rest] = text.split(`\n${MARK}\n`);
  if (links === undefined || neighbours === undefined || ways === undefined || rest.length > 0)
    throw new Error('what the overlay knows is not told whole');
  return { links, neighbours, ways };
}

/** Throws on what is no JSON. */
export function viewOf({ links, neighbours, ways }: OverlayListing): OverlayView {
  const segments = segmentsIn(list(links));
  for (const entry of list(neighbours)) putNeighbour(segments, entry);
  for (const entry of list(ways)) putWay(segments, entry);
  return segments;
}

/** Reads what SHOW_OVERLAY prints. Throws on what is no JSON, and where something is missing. */
export function readOverlay(text: string): OverlayView {
  return viewOf(splitOverlay(text));
}

/** Where there is nothing, some versions print nothing. */
function list(text: string): Json[] {
  return text.trim() === '' ? [] : asArray(JSON.parse(text)).map(asObject);
}

function segmentsIn(links: readonly Json[]): Segment[] {
  const bridges = new Map(links.map((link) => [asString(link['ifname']), link]));
  return links.flatMap((link) => {
    const device = asString(link['ifname']);
    const bridge = bridges.get(asString(link['master']));
    if (!/^vxlan\d+$/.test(device) || !bridge) return [];
    return asArray(bridge['addr_info'])
      .map(asObject)
      .filter(({ family }) => family === 'inet')
      .flatMap(({ local, prefixlen }) => {
        const gateway = asString(local);
        const size = 2 ** (32 - asNumber(prefixlen));
        const from = isIPv4(gateway) ? Math.floor(numberOf(gateway) / size) * size : NaN;
        const entries = { neighbours: new Map(), ways: new Map() };
        return from >= 0 ? [{ device, from, to: from + size, gateway, ...entries }] : [];
      });
  });
}

/** The engine's are plain; those of the balancer are marked, and an engine that sets one anew takes the mark away. */
export function putNeighbour(segments: OverlayView, entry: Json): void {
  const { dev, dst } = entry;
  if (typeof dst !== 'string' || !isLasting(entry)) return;
  const owner = 'extern_learn' in entry ? 'balancer' : 'engine';
  for (const { device, neighbours } of segments) if (device === dev) neighbours.set(dst, owner);
}

export function removeNeighbour(segments: OverlayView, entry: Json): void {
  const { dev, dst } = entry;
  if (typeof dst !== 'string' || !isLasting(entry)) return;
  for (const { device, neighbours } of segments) if (device === dev) neighbours.delete(dst);
}

function isLasting({ lladdr, state }: Json): boolean {
  return typeof lladdr === 'string' && Array.isArray(state) && state.includes('PERMANENT');
}

/** False where it is not the first of a hardware address. */
export function putWay(segments: OverlayView, { ifname, mac, dst, state }: Json): boolean {
  if (typeof mac !== 'string' || typeof dst !== 'string') return true;
  const way: Way = { vtep: dst, owner: ownerIn(state) };
  const [segment] = segments.filter(({ device }) => device === ifname);
  const isFirst = !segment?.ways.has(mac);
  for (const { device, ways } of segments) if (device === ifname) ways.set(mac, way);
  return isFirst;
}

export function removeWay(segments: OverlayView, { ifname, mac, dst }: Json): void {
  if (typeof mac !== 'string' || typeof dst !== 'string') return;
  for (const { device, ways } of segments) if (device === ifname) ways.delete(mac);
}

function ownerIn(state: unknown): EntryOwner {
  if (state === 'permanent') return 'engine';
  return state === 'static' ? 'balancer' : 'kernel';
}
