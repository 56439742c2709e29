import type { Backend, ServiceEndpoints, Task } from '../model/index.ts';
import { sameValue } from '../base/same-value.ts';
import { endpointsOf, type Reader } from './service-endpoints.ts';

/** Names what one service is on one network. */
export interface EndpointsKey {
  readonly networkId: string;
  readonly serviceId: string;
}

/** A task that got new connections on a network, and gets none any more. */
export interface LeftTask {
  readonly networkId: string;
  readonly taskId: string;
}

/** What reading a service anew has shown. */
export interface TableNews {
  readonly changed: readonly EndpointsKey[];
  /** Nodes that got or lost tasks which keep their clients' addresses. */
  readonly keepers: readonly string[];
  readonly left: readonly LeftTask[];
}

const NONE: ReadonlyMap<string, ServiceEndpoints> = new Map();

/** Who answers for which service, by network. An update of one service reads that service alone. */
export class EndpointTable {
  readonly #view: Reader;
  readonly #keepsClient: (task: Task) => boolean;
  readonly #byNetwork = new Map<string, Map<string, ServiceEndpoints>>();
  readonly #networksOf = new Map<string, readonly string[]>();
  /** Which service has a virtual IP, as `network/address`. */
  readonly #owners = new Map<string, string>();
  /** How many tasks a node has that keep their clients' addresses; each of its networks counts. */
  readonly #keepers = new Map<string, number>();
  /** Services that are removed and have tasks still. */
  readonly removed = new Set<string>();

  constructor(view: Reader, keepsClient: (task: Task) => boolean) {
    this.#view = view;
    this.#keepsClient = keepsClient;
  }

  on(networkId: string): ReadonlyMap<string, ServiceEndpoints> {
    return this.#byNetwork.get(networkId) ?? NONE;
  }

  /** Where a task gets new connections. */
  servingOn({ id, serviceId, networks }: Task): string[] {
    return networks.flatMap(({ networkId }) => {
      const backends = this.on(networkId).get(serviceId)?.backends ?? [];
      return backends.some(({ taskId, state }) => taskId === id && state === 'serving') ? [networkId] : [];
    });
  }

  /** Whether a node has tasks that keep their clients' addresses. */
  hasKeepers(nodeId: string): boolean {
    return this.#keepers.has(nodeId);
  }

  /** The nodes that have. */
  keepers(): Iterable<string> {
    return this.#keepers.keys();
  }

  /** Reads a service anew. */
  update(serviceId: string): TableNews {
    const isTaken = (networkId: string, address: string): boolean =>
      (this.#owners.get(`${networkId}/${address}`) ?? serviceId) !== serviceId;
    const now = endpointsOf(this.#view, serviceId, this.#keepsClient, isTaken);
    const before = (this.#networksOf.get(serviceId) ?? []).flatMap(
      (networkId) => this.on(networkId).get(serviceId) ?? [],
    );
    const isThere = this.#view.get('service', serviceId) !== undefined;
    if (isThere || now.length === 0) this.removed.delete(serviceId);
    else this.removed.add(serviceId);
    const changed: EndpointsKey[] = [];
    const left: LeftTask[] = [];
    const kept = new Map<string, boolean>();
    for (const one of before) {
      const after = now.find(({ networkId }) => networkId === one.networkId);
      if (after && sameValue(after, one)) continue;
      this.#drop(one, kept);
      left.push(...leftTasks(one, after));
      if (!after) changed.push({ networkId: one.networkId, serviceId });
    }
    for (const one of now) {
      if (this.on(one.networkId).has(serviceId)) continue;
      this.#put(one, isThere, kept);
      changed.push({ networkId: one.networkId, serviceId });
    }
    if (now.length > 0)
      this.#networksOf.set(
        serviceId,
        now.map(({ networkId }) => networkId),
      );
    else this.#networksOf.delete(serviceId);
    const keepers = [...kept].flatMap(([nodeId, had]) => (this.hasKeepers(nodeId) === had ? [] : [nodeId]));
    return { changed, keepers, left };
  }

  #put(one: ServiceEndpoints, isThere: boolean, kept: Map<string, boolean>): void {
    const { networkId, serviceId, virtualIp } = one;
    const others = this.#byNetwork.get(networkId);
    if (others) others.set(serviceId, one);
    else this.#byNetwork.set(networkId, new Map([[serviceId, one]]));
    if (isThere && virtualIp !== '') this.#owners.set(`${networkId}/${virtualIp}`, serviceId);
    this.#countKeepers(one, 1, kept);
  }

  #drop(one: ServiceEndpoints, kept: Map<string, boolean>): void {
    const { networkId, serviceId, virtualIp } = one;
    const others = this.#byNetwork.get(networkId);
    others?.delete(serviceId);
    if (others?.size === 0) this.#byNetwork.delete(networkId);
    const owner = `${networkId}/${virtualIp}`;
    if (this.#owners.get(owner) === serviceId) this.#owners.delete(owner);
    this.#countKeepers(one, -1, kept);
  }

  /** `kept` takes note of whether a node had any before. */
  #countKeepers({ keepClients, backends }: ServiceEndpoints, step: 1 | -1, kept: Map<string, boolean>): void {
    if (!keepClients) return;
    for (const { nodeId } of backends) {
      const before = this.#keepers.get(nodeId) ?? 0;
      if (!kept.has(nodeId)) kept.set(nodeId, before > 0);
      if (before + step > 0) this.#keepers.set(nodeId, before + step);
      else this.#keepers.delete(nodeId);
    }
  }
}

function leftTasks(before: ServiceEndpoints, after: ServiceEndpoints | undefined): LeftTask[] {
  const serving = new Set(servingIds(after?.backends ?? []));
  const { networkId } = before;
  return servingIds(before.backends)
    .filter((taskId) => !serving.has(taskId))
    .map((taskId) => ({ networkId, taskId }));
}

function servingIds(backends: readonly Backend[]): string[] {
  return backends.filter(({ state }) => state === 'serving').map(({ taskId }) => taskId);
}
