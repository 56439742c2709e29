import { isIPv4 } from 'node:net';
import { numberOf } from '../rules/sound.ts';
import { macOf } from '../rules/hardware-address.ts';
import type { BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';
import { serviceKey } from '../places.ts';

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

/** What one service says, or the nodes that clients come in by. */
interface Source extends ListedPeers {
  /** What it is made from; a new object when that changes. */
  readonly of: object;
}

const ENTRIES = '';
const NOTHING: Source = { of: {}, wanted: new Map(), kept: new Set() };

/** Of a network's services, and of the nodes that clients come in by. What did not change is not worked out again. */
export class PeerList implements ListedPeers {
  readonly wanted = new Map<string, Peer>();
  readonly kept = new Set<string>();
  readonly #ownNodeId: string;
  #ownAddress = '';
  readonly #sources = new Map<string, Source>();
  /** Whose an address is; two services may claim one for a moment. */
  readonly #claims = new Map<string, string | ReadonlySet<string>>();

  constructor(ownNodeId: string) {
    this.#ownNodeId = ownNodeId;
  }

  /** Takes it as it is now; returns the addresses of which something else is said. */
  update({ entries, address }: BalancedNetwork, services: Iterable<ServiceEndpoints>): Set<string> {
    const changed = new Set<string>();
    const left = new Set(this.#sources.keys());
    const take = (key: string, of: object, read: (before: Source) => Source): void => {
      left.delete(key);
      const before = this.#sources.get(key) ?? NOTHING;
      if (before.of !== of) this.#replace(key, before, read(before), changed);
    };
    take(ENTRIES, entries, (before) => sourceOf(entries, entries.map(entryBackend), before));
    for (const service of services)
      take(serviceKey(service), service, (before) => sourceOf(service, service.backends, before));
    for (const key of left) this.#replace(key, this.#sources.get(key) ?? NOTHING, undefined, changed);
    const own = address.split('/')[0] ?? '';
    if (own !== this.#ownAddress) changed.add(own).add(this.#ownAddress);
    this.#ownAddress = own;
    for (const one of changed) this.#settle(one);
    return changed;
  }

  #replace(key: string, before: Source, after: Source | undefined, changed: Set<string>): void {
    if (after) this.#sources.set(key, after);
    else this.#sources.delete(key);
    const now = after ?? NOTHING;
    for (const source of [before, now])
      for (const addresses of [source.wanted.keys(), source.kept])
        for (const address of addresses) {
          const isKept = now.kept.has(address);
          const peer = now.wanted.get(address);
          if (before.wanted.get(address) === peer && before.kept.has(address) === isKept) continue;
          if (peer || isKept) this.#claim(address, key);
          else this.#unclaim(address, key);
          changed.add(address);
        }
  }

  #claim(address: string, key: string): void {
    const known = this.#claims.get(address);
    if (known === undefined || known === key) this.#claims.set(address, key);
    else this.#claims.set(address, new Set([...(typeof known === 'string' ? [known] : known), key]));
  }

  #unclaim(address: string, key: string): void {
    const known = this.#claims.get(address);
    if (known === key) this.#claims.delete(address);
    if (known === undefined || typeof known === 'string') return;
    const [first, ...rest] = [...known].filter((one) => one !== key);
    if (first !== undefined) this.#claims.set(address, rest.length === 0 ? first : new Set([first, ...rest]));
  }

  #settle(address: string): void {
    const claims = this.#claims.get(address) ?? [];
    const sources = [...(typeof claims === 'string' ? [claims] : claims)].flatMap(
      (key) => this.#sources.get(key) ?? [],
    );
    const peer = sources.map(({ wanted }) => wanted.get(address)).findLast((one) => one !== undefined);
    if (peer && peer.nodeId !== this.#ownNodeId && address !== this.#ownAddress)
      this.wanted.set(address, peer);
    else this.wanted.delete(address);
    if (sources.some(({ kept }) => kept.has(address))) this.kept.add(address);
    else this.kept.delete(address);
  }
}

type PlacedAddress = Pick<
  ServiceEndpoints['backends'][number],
  'address' | 'nodeId' | 'nodeAddress' | 'state'
>;

function entryBackend(entry: BalancedNetwork['entries'][number]): PlacedAddress {
  return { ...entry, nodeAddress: '', state: 'serving' };
}

/** What a manager says may be anything. */
function sourceOf(of: object, backends: readonly PlacedAddress[], before: Source): Source {
  const wanted = new Map<string, Peer>();
  const kept = new Set<string>();
  for (const { address, nodeId, nodeAddress, state } of backends) {
    if (state === 'leaving') kept.add(address);
    else {
      const known = before.wanted.get(address);
      if (known?.nodeId === nodeId && known.nodeAddress === nodeAddress) wanted.set(address, known);
      else if (isIPv4(address))
        wanted.set(address, { mac: macOf(address), number: numberOf(address), nodeId, nodeAddress });
    }
  }
  return { of, wanted, kept };
}
