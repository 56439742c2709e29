import { hasEnded, type Endpoint, type Task } from '../model/index.ts';

/** Where a task is, and what it was told there: its service's virtual IP, or '' for none. */
interface Place {
  readonly serviceId: string;
  readonly isOther: boolean;
  readonly told: ReadonlyMap<string, string>;
}

/** How many tasks were told what on one network, under each of the service's two ids. */
type Counts = Map<string, number>;

/** A network that lost the last task of a service. */
export interface LeftNetwork {
  readonly serviceId: string;
  readonly networkId: string;
}

/**
 * On which overlay networks each service has tasks that have not ended, and what those were told of its virtual IP. A
 * change of one task costs the same however many there are.
 */
export class ServicePlaces {
  readonly #places = new Map<string, Place>();
  readonly #services = new Map<string, Map<string, Counts>>();

  /** Takes note of a task as it is now. Returns where it was the last of its service. */
  set(taskId: string, task: Task | undefined): readonly LeftNetwork[] {
    const before = this.#places.get(taskId);
    const after = task && placeOf(task);
    if (after) {
      this.#places.set(taskId, after);
      this.#add(after, 1);
    } else this.#places.delete(taskId);
    return before ? this.#add(before, -1) : [];
  }

  has(serviceId: string, networkId: string): boolean {
    return this.#services.get(serviceId)?.has(networkId) ?? false;
  }

  /**
   * Whether a new task has to come under its service's other id, as the tasks that run under its own were told otherwise.
   * All that are told the same stay under one: engines with IPVS take a virtual IP from one id only.
   */
  needsOther(serviceId: string, networkIds: readonly string[], endpoint: Endpoint | undefined): boolean {
    const told = toldOn(networkIds, endpoint);
    const [own, other] = [this.#under(serviceId, false, told), this.#under(serviceId, true, told)];
    return own === 'different' || (own === 'none' && other === 'same');
  }

  #under(
    serviceId: string,
    isOther: boolean,
    told: ReadonlyMap<string, string>,
  ): 'none' | 'same' | 'different' {
    let found: 'none' | 'same' = 'none';
    for (const [networkId, address] of told)
      for (const key of this.#services.get(serviceId)?.get(networkId)?.keys() ?? []) {
        if (key === keyOf(isOther, address)) found = 'same';
        else if (key.startsWith(keyOf(isOther, ''))) return 'different';
      }
    return found;
  }

  #add({ serviceId, isOther, told }: Place, step: 1 | -1): LeftNetwork[] {
    const networks = this.#services.get(serviceId) ?? new Map<string, Counts>();
    this.#services.set(serviceId, networks);
    const left: LeftNetwork[] = [];
    for (const [networkId, address] of told) {
      const counts = networks.get(networkId) ?? new Map<string, number>();
      networks.set(networkId, counts);
      const key = keyOf(isOther, address);
      const count = (counts.get(key) ?? 0) + step;
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
      if (counts.size > 0) continue;
      networks.delete(networkId);
      left.push({ serviceId, networkId });
    }
    if (networks.size === 0) this.#services.delete(serviceId);
    return left;
  }
}

function keyOf(isOther: boolean, address: string): string {
  return `${isOther ? 'other' : 'own'}/${address}`;
}

function placeOf({ serviceId, engineServiceId, status, networks, endpoint }: Task): Place | undefined {
  if (serviceId === '' || hasEnded(status.state)) return undefined;
  const overlay = networks.filter(({ addresses }) => addresses.length > 0);
  const told = toldOn(
    overlay.map(({ networkId }) => networkId),
    endpoint,
  );
  return told.size === 0 ? undefined : { serviceId, isOther: engineServiceId !== undefined, told };
}

function toldOn(networkIds: readonly string[], endpoint: Endpoint | undefined): ReadonlyMap<string, string> {
  const addresses = new Map(endpoint?.virtualIps.map(({ networkId, addr }) => [networkId, addr]));
  return new Map(networkIds.map((id) => [id, addresses.get(id) ?? '']));
}
