import type { BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';
import type { IpLine, Kernel } from '../kernel/kernel.ts';
import type { NetnsFile } from '../namespaces.ts';
import { numberOf } from '../rules/sound.ts';
import type { HostAddresses } from './host-addresses.ts';
import { listPeers, type ListedPeers } from './listed-peers.ts';
import { readOverlay, segmentOf, SHOW_OVERLAY, type OverlayView } from './overlay-view.ts';
import { planPeers, type PeersPlan } from './plan-peers.ts';

export interface NetworkPeersParts {
  readonly nodeId: string;
  readonly kernel: Kernel;
  readonly hosts: HostAddresses;
}

/** What was found in order. */
interface Seen {
  readonly path: string;
  readonly text: string;
  readonly listed: ListedPeers;
  readonly revision: number;
}

/** One overlay network's entries for tasks on other hosts. One look at a time. */
export class NetworkPeers {
  readonly #parts: NetworkPeersParts;
  #listed: ListedPeers | undefined;
  #fine: Seen | undefined;
  /** Addresses that are known here by the managers' word alone: the engine has not heard of them. */
  unheard: ReadonlySet<string> = new Set();

  constructor(parts: NetworkPeersParts) {
    this.#parts = parts;
  }

  /** The network, or its services, have changed. */
  changed(): void {
    this.#listed = undefined;
  }

  /**
   * Puts right what is missing or too much in the first of these namespaces that is the network's. Where nothing has changed
   * since it was in order, what the programs say is compared and not read. Throws where they fail.
   */
  async look(
    network: BalancedNetwork,
    services: () => Iterable<ServiceEndpoints>,
    files: readonly NetnsFile[],
  ): Promise<void> {
    const { kernel, nodeId } = this.#parts;
    for (const { path } of files) {
      const text = await kernel.shell(path, SHOW_OVERLAY);
      const listed = (this.#listed ??= listPeers(nodeId, network, services()));
      if (this.#isFine(path, text, listed)) return;
      const view = readOverlay(text);
      if (!segmentOf(view, numberOf(network.address.split('/')[0] ?? ''))) continue;
      await this.#putRight(path, text, view, listed);
      return;
    }
  }

  #isFine(path: string, text: string, listed: ListedPeers): boolean {
    const fine = this.#fine;
    if (fine?.listed !== listed || fine.revision !== this.#parts.hosts.revision) return false;
    return fine.path === path && fine.text === text;
  }

  async #putRight(path: string, text: string, view: OverlayView, listed: ListedPeers): Promise<void> {
    const { kernel, hosts } = this.#parts;
    this.#fine = undefined;
    this.#learn(view, listed);
    const plan = planPeers(view, {
      ...listed,
      vtepOf: ({ nodeId, nodeAddress }) => hosts.of(nodeId, nodeAddress),
      vteps: hosts.all,
    });
    this.unheard = unheardIn(view, listed);
    await kernel.bridge(path, lines(plan, 'bridge'));
    await kernel.ip(path, lines(plan, 'ip'));
    if (isEmpty(plan)) this.#fine = { path, text, listed, revision: hosts.revision };
  }

  /** Where the engine, while it knows, sends what is for other hosts. */
  #learn(view: OverlayView, { wanted }: ListedPeers): void {
    const { hosts } = this.#parts;
    for (const { ways } of view)
      for (const { vtep, owner } of ways.values()) if (owner === 'engine') hosts.saw(vtep);
    for (const { mac, number, nodeId, nodeAddress } of wanted.values()) {
      const way = segmentOf(view, number)?.ways.get(mac);
      if (way?.owner === 'engine') hosts.sawOf(nodeId, way.vtep, nodeAddress);
      else hosts.saw(hosts.of(nodeId, nodeAddress));
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

/** As it was seen before anything was added: what the engine hears of a moment later is not among them. */
function unheardIn(view: OverlayView, { wanted }: ListedPeers): Set<string> {
  const addresses = new Set<string>();
  for (const { neighbours } of view)
    for (const [address, owner] of neighbours)
      if (owner === 'balancer' && wanted.has(address)) addresses.add(address);
  return addresses;
}
