import type { BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';
import type { IpLine, Kernel } from '../kernel/kernel.ts';
import type { NetnsFile } from '../namespaces.ts';
import { numberOf } from '../rules/sound.ts';
import type { HostAddresses } from './host-addresses.ts';
import { PeerList, type Peer } from './listed-peers.ts';
import { OverlayReader, type Addresses } from './overlay-reader.ts';
import { segmentOf, SHOW_OVERLAY } from './overlay-view.ts';
import { addressesOf, planPeers, type PeersPlan } from './plan-peers.ts';

export interface NetworkPeersParts {
  readonly nodeId: string;
  readonly kernel: Kernel;
  readonly hosts: HostAddresses;
}

/** One overlay network's entries for tasks on other hosts. One look at a time. */
export class NetworkPeers {
  readonly #parts: NetworkPeersParts;
  readonly #listed: PeerList;
  /** The namespace that was looked at last. */
  #path = '';
  #reader = new OverlayReader();
  /** Addresses that are to be put right, or looked at once more after that. */
  #due: Addresses = 'all';
  #isListed = false;
  /** Of the hosts that are known, when it was planned last. */
  #revision = 0;
  readonly #unheard = new Set<string>();

  constructor(parts: NetworkPeersParts) {
    this.#parts = parts;
    this.#listed = new PeerList(parts.nodeId);
  }

  /** Addresses that are known here by the managers' word alone: the engine has not heard of them. */
  get unheard(): ReadonlySet<string> {
    return this.#unheard;
  }

  /** The network, or its services, have changed. */
  changed(): void {
    this.#isListed = false;
  }

  /**
   * Puts right what is missing or too much in the first of these namespaces that is the network's. What has not changed since
   * it was in order is not looked at again. Throws where the programs fail.
   */
  async look(
    network: BalancedNetwork,
    services: () => Iterable<ServiceEndpoints>,
    files: readonly NetnsFile[],
  ): Promise<void> {
    const { kernel, hosts } = this.#parts;
    const own = numberOf(network.address.split('/')[0] ?? '');
    for (const { path } of files) {
      const text = await kernel.shell(path, SHOW_OVERLAY);
      const reader = path === this.#path ? this.#reader : new OverlayReader();
      const changed = reader.read(text);
      if (!segmentOf(reader.view, own)) continue;
      this.#add(reader === this.#reader ? changed : 'all');
      this.#reader = reader;
      this.#path = path;
      if (!this.#isListed) this.#add(this.#listed.update(network, services()));
      this.#isListed = true;
      if (hosts.revision !== this.#revision) this.#add('all');
      if (this.#due === 'all' || this.#due.size > 0) await this.#putRight();
      return;
    }
  }

  #add(more: Addresses): void {
    if (this.#due === 'all' || more === 'all') this.#due = 'all';
    else if (more.size > 0) this.#due = new Set([...this.#due, ...more]);
  }

  async #putRight(): Promise<void> {
    const { kernel, hosts } = this.#parts;
    const { view } = this.#reader;
    this.#learn(this.#due === 'all' ? this.#listed.wanted.keys() : this.#due);
    // Who moves, or comes, may be behind any of them.
    if (hosts.revision !== this.#revision) this.#due = 'all';
    this.#revision = hosts.revision;
    const addresses = this.#due === 'all' ? addressesOf(view, this.#listed) : this.#due;
    const wish = {
      ...{ wanted: this.#listed.wanted, kept: this.#listed.kept, vteps: hosts.all },
      vtepOf: ({ nodeId, nodeAddress }: Peer) => hosts.of(nodeId, nodeAddress),
    };
    const plan = planPeers(view, wish, addresses);
    this.#noteUnheard(addresses);
    const looked = this.#due;
    this.#due = 'all';
    await kernel.bridge(this.#path, lines(plan, 'bridge'));
    await kernel.ip(this.#path, lines(plan, 'ip'));
    this.#due = isEmpty(plan) ? new Set() : looked;
  }

  /** Where the engine, while it knows, sends what is for other hosts. */
  #learn(addresses: Iterable<string>): void {
    const { hosts } = this.#parts;
    const { view } = this.#reader;
    for (const { ways } of view)
      for (const { vtep, owner } of ways.values()) if (owner === 'engine') hosts.saw(vtep);
    for (const address of addresses) {
      const peer = this.#listed.wanted.get(address);
      if (!peer) continue;
      const { mac, number, nodeId, nodeAddress } = peer;
      const way = segmentOf(view, number)?.ways.get(mac);
      if (way?.owner === 'engine') hosts.sawOf(nodeId, way.vtep, nodeAddress);
      else hosts.saw(hosts.of(nodeId, nodeAddress));
    }
  }

  /** As it was seen before anything was added: what the engine hears of a moment later is not among them. */
  #noteUnheard(addresses: Iterable<string>): void {
    const { view } = this.#reader;
    for (const address of addresses) {
      const isOurs = view.some(({ neighbours }) => neighbours.get(address) === 'balancer');
      if (isOurs && this.#listed.wanted.has(address)) this.#unheard.add(address);
      else this.#unheard.delete(address);
    }
  }
}

function lines({ remove, add }: PeersPlan, program: 'ip' | 'bridge'): IpLine[] {
  return [
    ...remove[program].map((args) => ({ args, mayFail: true })),
    ...add[program].map((args) => ({ args, mayFail: false })),
  ];
}

function isEmpty({ remove, add }: PeersPlan): boolean {
  return [remove, add].every(({ ip, bridge }) => ip.length === 0 && bridge.length === 0);
}
