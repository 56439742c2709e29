import type {
  Endpoint,
  Network,
  NetworkAttachment,
  NetworkAttachmentConfig,
  Service,
  Task,
} from '../model/index.ts';
import { hasEnded, otherServiceId } from '../model/index.ts';
import type { AddressBook } from './address-book.ts';
import { needsIngress } from './endpoint.ts';
import { addressTaken, noAddress } from './no-address.ts';
import { INGRESS, networkKey, NOTHING, serviceKey, waitFor, type Plan, type Reader } from './plan.ts';
import { isAllocated } from './plan-service.ts';

/** What makes a task ready for placing. */
export interface TaskAllocation {
  readonly networks: readonly NetworkAttachment[];
  readonly endpoint?: Endpoint;
  readonly engineServiceId?: string;
  /** As it was when this was planned. */
  readonly service?: Service;
}

/** Whether a task is still to be allocated: it is new, and not to be gone. */
export function isNew({ status, desiredState }: Task): boolean {
  return status.state === 'new' && desiredState !== 'shutdown' && desiredState !== 'remove';
}

/** The addresses that a task has by its row; one that has ended has none. */
export function attachmentsInUse({ status, networks }: Task): readonly NetworkAttachment[] {
  return hasEnded(status.state) ? [] : networks;
}

/**
 * The addresses of a new task on its networks; they are taken in the book. Where it has to wait, what was taken is to
 * be given back by settling the task with its row.
 */
export function planTask(book: AddressBook, view: Reader, task: Task): Plan<TaskAllocation> {
  if (!isNew(task)) return NOTHING;
  const service = task.serviceId === '' ? undefined : view.get('service', task.serviceId);
  if (task.serviceId !== '' && (!service || !isAllocated(view, service)))
    return waitFor(serviceKey(task.serviceId), view.reason(serviceKey(task.serviceId)));
  const owner = `task/${task.id}`;
  const networks: NetworkAttachment[] = [];
  for (const wish of wishesOf(view, task, service)) {
    if (!wish) return waitFor(INGRESS, 'the ingress network is missing');
    const network = view.get('network', wish.target);
    if (!network) return waitFor(networkKey(wish.target), `network ${wish.target} not found`);
    if (!network.allocated && !network.spec.nodeLocal)
      return waitFor(networkKey(network.id), view.reason(networkKey(network.id)));
    const kept = book.network(network.id)?.keptForNodes(view.nodeCount()) ?? 0;
    const addresses = network.spec.nodeLocal ? [] : take(book, owner, network, wish, kept);
    if (!addresses)
      return wish.addresses.length > 0
        ? addressTaken(book, network, wish.addresses)
        : noAddress(book, network, kept);
    networks.push({
      networkId: network.id,
      addresses,
      aliases: wish.aliases,
      driverOptions: wish.driverOptions,
    });
  }
  return {
    kind: 'write',
    value: {
      networks,
      ...(service ? { service, ...tellingOf(view, service, networks) } : {}),
    },
  };
}

/** What the engine is to be told of the service. */
function tellingOf(
  view: Reader,
  { id, endpoint }: Service,
  networks: readonly NetworkAttachment[],
): Pick<TaskAllocation, 'endpoint' | 'engineServiceId'> {
  const overlay = networks.filter(({ addresses }) => addresses.length > 0);
  const isOther = view.places.needsOther(
    id,
    overlay.map(({ networkId }) => networkId),
    endpoint,
  );
  return { ...(endpoint ? { endpoint } : {}), ...(isOther ? { engineServiceId: otherServiceId(id) } : {}) };
}

/** The networks a task is to be on, each once: first the ingress network, where its service publishes there. */
function wishesOf(
  view: Reader,
  { spec }: Task,
  service: Service | undefined,
): readonly (NetworkAttachmentConfig | undefined)[] {
  const wishes = [...new Map(spec.networks.map((wish) => [wish.target, wish])).values()];
  if (!service || !needsIngress(service.spec)) return wishes;
  const ingress = view.ingress();
  return [ingress && { target: ingress.id, aliases: [], driverOptions: {}, addresses: [] }, ...wishes];
}

function take(
  book: AddressBook,
  owner: string,
  { id }: Network,
  { addresses: wanted }: NetworkAttachmentConfig,
  kept: number,
): readonly string[] | undefined {
  const network = book.network(id);
  const taken = wanted.length > 0 ? takeWanted() : hasRoom() ? network?.takeForTask(owner) : undefined;
  for (const address of taken ?? []) book.note(owner, { networkId: id, address });
  return taken;

  function hasRoom(): boolean {
    return (network?.room.free ?? 0) > kept;
  }

  function takeWanted(): readonly string[] | undefined {
    const got = wanted.flatMap((text) => network?.take(text, owner) ?? []);
    if (got.length === wanted.length) return got;
    for (const address of got) network?.release(address, owner);
    return undefined;
  }
}
