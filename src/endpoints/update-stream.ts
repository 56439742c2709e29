import { Bell } from '../base/bell.ts';
import type {
  BalancedNetwork,
  DoctorQuestion,
  EndpointsNeeds,
  EndpointsUpdate,
  ServiceEndpoints,
} from '../model/index.ts';
import { differing } from './differing.ts';
import type { EndpointsKey } from './endpoint-table.ts';

/** What there is to tell of. */
export interface Telling {
  /** Undefined where the node takes no part in it. */
  network(nodeId: string, networkId: string): BalancedNetwork | undefined;
  on(networkId: string): ReadonlyMap<string, ServiceEndpoints>;
  /** Grows with each call. */
  nextVersion(): number;
}

/**
 * What one balancer has still to be told. It keeps what has changed, not how: a balancer that reads slowly gets the latest
 * of each, and costs no more memory than the names of what its node takes part in.
 */
export class UpdateStream {
  /** Rings when there is something to tell. */
  readonly changed = new Bell();
  /** Ends the stream. */
  readonly end = new AbortController();
  readonly nodeId: string;
  readonly needs: EndpointsNeeds;
  /** That the node takes part in, and is told of. */
  networks: ReadonlySet<string>;
  /** The last that was told. */
  version = 0;
  readonly #telling: Telling;
  readonly #networks = new Set<string>();
  /** By network. A network that is told whole has no need of it. */
  readonly #services = new Map<string, Set<string>>();
  readonly #whole = new Set<string>();
  readonly #questions = new Map<string, DoctorQuestion>();

  constructor(
    nodeId: string,
    networks: ReadonlySet<string>,
    telling: Telling,
    needs: EndpointsNeeds = 'all',
  ) {
    this.nodeId = nodeId;
    this.needs = needs;
    this.networks = needs === 'all' ? networks : new Set();
    this.#telling = telling;
    this.changed.ring();
  }

  /** `whole`: with every service on it. */
  touchNetwork(networkId: string, whole = false): void {
    if (this.needs === 'questions') return;
    this.#networks.add(networkId);
    if (whole) this.#whole.add(networkId);
    this.changed.ring();
  }

  touchService({ networkId, serviceId }: EndpointsKey): void {
    const others = this.#services.get(networkId);
    if (others) others.add(serviceId);
    else this.#services.set(networkId, new Set([serviceId]));
    this.changed.ring();
  }

  /** The node takes part in other networks than before. */
  setNetworks(networks: ReadonlySet<string>): void {
    const before = this.networks;
    this.networks = networks;
    for (const id of differing(before, networks)) this.touchNetwork(id, true);
  }

  question(question: DoctorQuestion): void {
    this.#questions.set(question.id, question);
    this.changed.ring();
  }

  /** Of no use any more. */
  dropQuestion(id: string): void {
    this.#questions.delete(id);
  }

  /** The next update, or undefined when everything is told. */
  next(): EndpointsUpdate | undefined {
    const questions = [...this.#questions.values()];
    this.#questions.clear();
    if (this.version === 0) {
      this.#clear();
      const networks = [...this.networks].flatMap((id) => this.#telling.network(this.nodeId, id) ?? []);
      const services = networks.flatMap(({ id }) => [...this.#telling.on(id).values()]);
      return this.#update({ full: true, networks, goneNetworks: [], services, goneServices: [], questions });
    }
    const networks: BalancedNetwork[] = [];
    const goneNetworks: string[] = [];
    const services: ServiceEndpoints[] = [];
    const goneServices: EndpointsKey[] = [];
    for (const id of this.#networks) {
      const network = this.networks.has(id) ? this.#telling.network(this.nodeId, id) : undefined;
      if (network) networks.push(network);
      else goneNetworks.push(id);
      if (!this.#whole.has(id)) continue;
      this.#services.delete(id);
      for (const [serviceId, service] of this.#telling.on(id)) {
        if (network) services.push(service);
        else goneServices.push({ networkId: id, serviceId });
      }
    }
    for (const [networkId, ids] of this.#services) {
      if (!this.networks.has(networkId)) continue;
      for (const serviceId of ids) {
        const service = this.#telling.on(networkId).get(serviceId);
        if (service) services.push(service);
        else goneServices.push({ networkId, serviceId });
      }
    }
    this.#clear();
    const count =
      networks.length + goneNetworks.length + services.length + goneServices.length + questions.length;
    if (count === 0) return undefined;
    return this.#update({ full: false, networks, goneNetworks, services, goneServices, questions });
  }

  #update(what: Omit<EndpointsUpdate, 'version'>): EndpointsUpdate {
    this.version = this.#telling.nextVersion();
    return { version: this.version, ...what };
  }

  #clear(): void {
    this.#networks.clear();
    this.#services.clear();
    this.#whole.clear();
  }
}
