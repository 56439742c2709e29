import { sameValue } from '../base/same-value.ts';
import type { BalancedNetwork, EndpointsUpdate, ServiceEndpoints } from '../model/index.ts';
import { serviceKey } from './places.ts';

/** What an update has changed of what was known. */
export interface Changes {
  /** The keys of services that are new, different or gone. */
  readonly services: Set<string>;
  networks: boolean;
}

/** What the managers have told last, and what of it is new. */
export class KnownState {
  version = 0;
  readonly networks = new Map<string, BalancedNetwork>();
  readonly services = new Map<string, ServiceEndpoints>();
  /** Of these, the ones that keep their clients' addresses. */
  readonly keepers = new Map<string, ServiceEndpoints>();
  readonly #onNetwork = new Map<string, Set<string>>();

  /** All on one network. */
  servicesOn(networkId: string): ServiceEndpoints[] {
    return [...(this.#onNetwork.get(networkId) ?? [])].flatMap((key) => this.services.get(key) ?? []);
  }

  /** Takes an update in, adding to `changes`. */
  fold(update: EndpointsUpdate, changes: Changes): void {
    if (update.full) this.#forgetUnnamed(update, changes);
    for (const id of update.goneNetworks) this.#removeNetwork(id, changes);
    for (const gone of update.goneServices) this.#removeService(serviceKey(gone), changes);
    for (const network of update.networks) this.#putNetwork(network, changes);
    for (const service of update.services) this.#putService(service, changes);
    this.version = update.version;
  }

  #forgetUnnamed(update: EndpointsUpdate, changes: Changes): void {
    const networks = new Set(update.networks.map(({ id }) => id));
    for (const id of [...this.networks.keys()]) if (!networks.has(id)) this.#removeNetwork(id, changes);
    const services = new Set(update.services.map(serviceKey));
    for (const key of [...this.services.keys()]) if (!services.has(key)) this.#removeService(key, changes);
  }

  #putNetwork(network: BalancedNetwork, changes: Changes): void {
    if (sameValue(this.networks.get(network.id), network)) return;
    this.networks.set(network.id, network);
    changes.networks = true;
  }

  #removeNetwork(id: string, changes: Changes): void {
    if (this.networks.delete(id)) changes.networks = true;
    for (const key of [...(this.#onNetwork.get(id) ?? [])]) this.#removeService(key, changes);
  }

  #putService(service: ServiceEndpoints, changes: Changes): void {
    const key = serviceKey(service);
    if (sameValue(this.services.get(key), service)) return;
    this.services.set(key, service);
    const onNetwork = this.#onNetwork.get(service.networkId) ?? new Set();
    this.#onNetwork.set(service.networkId, onNetwork.add(key));
    if (service.keepClients) this.keepers.set(key, service);
    else this.keepers.delete(key);
    changes.services.add(key);
  }

  #removeService(key: string, changes: Changes): void {
    const service = this.services.get(key);
    if (!service) return;
    this.services.delete(key);
    this.keepers.delete(key);
    const onNetwork = this.#onNetwork.get(service.networkId);
    onNetwork?.delete(key);
    if (onNetwork?.size === 0) this.#onNetwork.delete(service.networkId);
    changes.services.add(key);
  }
}
