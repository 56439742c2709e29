import { isDeepStrictEqual } from 'node:util';
import type {
  Endpoint,
  Network,
  PortConfig,
  PortProtocol,
  Service,
  ServiceSpec,
  VirtualIp,
} from '../model/index.ts';
import type { AddressBook } from './address-book.ts';
import { needsIngress, PLAIN_ENDPOINT, portKey, virtualIpsOf } from './endpoint.ts';
import { noAddress } from './no-address.ts';
import { INGRESS, networkKey, NOTHING, PORTS, waitFor, type Plan, type Reader, type Wait } from './plan.ts';
import { FIRST_PORT, LAST_PORT, type PortTable } from './port-table.ts';

/**
 * The endpoint that a service's spec asks for: virtual IPs and ports, kept where it has them, else taken. Where it has
 * to wait, what was taken is to be given back by settling the service with its row.
 */
export function planService(
  { book, ports: table }: { readonly book: AddressBook; readonly ports: PortTable },
  view: Reader,
  service: Service,
): Plan<Endpoint> {
  if (isAllocated(view, service)) return NOTHING;
  const spec = service.spec.endpoint ?? PLAIN_ENDPOINT;
  const networks = vipNetworks(view, service.spec);
  if ('kind' in networks) return networks;
  const ports = planPorts(table, service);
  if ('kind' in ports) return ports;
  const virtualIps: VirtualIp[] = [];
  for (const network of networks) {
    const left = book.network(network.id)?.keptForNodes(view.nodeCount()) ?? 0;
    const addr = kept(service, network.id) ?? takeVip(book, service.id, network.id, left);
    if (addr === undefined) return noAddress(book, network, left);
    virtualIps.push({ networkId: network.id, addr });
  }
  const leavingIps = leaving(view, service, networks);
  const value = { spec, ports, virtualIps, ...(leavingIps.length > 0 ? { leavingIps } : {}) };
  return { kind: 'write', value };
}

/** Whether a service has the endpoint that its spec asks for; its tasks get a copy. */
export function isAllocated(view: Reader, service: Service): boolean {
  const { spec, endpoint } = service;
  const networks = vipNetworks(view, spec);
  if ('kind' in networks) return false;
  if (!endpoint) return networks.length === 0 && (spec.endpoint?.ports.length ?? 0) === 0;
  const wanted = spec.endpoint ?? PLAIN_ENDPOINT;
  return (
    isDeepStrictEqual(endpoint.spec, wanted) &&
    isDeepStrictEqual(
      endpoint.virtualIps.map(({ networkId }) => networkId),
      networks.map(({ id }) => id),
    ) &&
    leaving(view, service, networks).length === virtualIpsOf(endpoint).length - networks.length &&
    endpoint.ports.length === wanted.ports.length &&
    wanted.ports.every((port, i) => fits(endpoint.ports[i], port))
  );
}

/** Whether a port is what the spec asks for, with a number where the swarm chooses one. */
function fits(port: PortConfig | undefined, wanted: PortConfig): boolean {
  if (!port) return false;
  const isChosen = wanted.publishMode === 'ingress' && wanted.publishedPort === 0 && port.publishedPort > 0;
  return isDeepStrictEqual(isChosen ? { ...port, publishedPort: 0 } : port, wanted);
}

/** The networks on which a service has a virtual IP, the ingress network first. */
function vipNetworks(view: Reader, spec: ServiceSpec): readonly Network[] | Wait {
  const networks: Network[] = [];
  if (needsIngress(spec)) {
    const ingress = view.ingress();
    if (!ingress) return waitFor(INGRESS, 'the ingress network is missing');
    networks.push(ingress);
  }
  for (const id of new Set(spec.task.networks.map(({ target }) => target))) {
    const network = view.get('network', id);
    if (!network) return waitFor(networkKey(id), `network ${id} not found`);
    if (!network.spec.nodeLocal) networks.push(network);
  }
  const missing = networks.find(({ allocated }) => !allocated);
  if (missing) return waitFor(networkKey(missing.id), view.reason(networkKey(missing.id)));
  return spec.endpoint?.mode === 'dnsrr' ? [] : networks;
}

function kept({ endpoint }: Service, networkId: string): string | undefined {
  return virtualIpsOf(endpoint).find((vip) => vip.networkId === networkId)?.addr;
}

/** What a service has on other networks than these, as long as it has tasks there. */
function leaving(view: Reader, { id, endpoint }: Service, networks: readonly Network[]): VirtualIp[] {
  return virtualIpsOf(endpoint).filter(
    ({ networkId }) => networks.every((one) => one.id !== networkId) && view.places.has(id, networkId),
  );
}

function takeVip(book: AddressBook, serviceId: string, networkId: string, left: number): string | undefined {
  const owner = `service/${serviceId}`;
  const network = book.network(networkId);
  const address = network && network.room.free > left ? network.takeOne(owner) : undefined;
  if (address !== undefined) book.note(owner, { networkId, address });
  return address;
}

/** The ports of the spec; where it leaves one to the swarm, the one that it had before, else a free one. */
function planPorts(table: PortTable, { id, spec, endpoint }: Service): readonly PortConfig[] | Wait {
  const wanted = spec.endpoint?.ports ?? [];
  for (const port of wanted) {
    if (port.publishMode !== 'ingress' || port.publishedPort === 0) continue;
    if (!table.take(portKey(port), id))
      return waitFor(
        PORTS,
        `port '${port.publishedPort}' is in use by service ${table.holder(portKey(port))}`,
      );
  }
  const fixed = new Set(ingressPorts(wanted));
  const former = (endpoint?.ports ?? []).filter(
    (port) => port.publishMode === 'ingress' && !fixed.has(portKey(port)),
  );
  const ports: PortConfig[] = [];
  for (const port of wanted) {
    if (port.publishMode !== 'ingress' || port.publishedPort !== 0) {
      ports.push(port);
      continue;
    }
    const at = former.findIndex((one) => one.publishedPort > 0 && isSame(one, port));
    const [before] = at < 0 ? [] : former.splice(at, 1);
    const publishedPort =
      before && table.take(portKey(before), id) ? before.publishedPort : table.takeNext(port.protocol, id);
    if (publishedPort === undefined) return waitFor(PORTS, noPort(port.protocol));
    ports.push({ ...port, publishedPort });
  }
  return ports;
}

function noPort(protocol: PortProtocol): string {
  const room = `${FIRST_PORT} to ${LAST_PORT} has room for ${LAST_PORT - FIRST_PORT + 1}`;
  const advice =
    'remove services that publish ports, or name a port for this one (--publish published=…,target=…)';
  return `no published port is left for ${protocol}: ${room}, and all are taken; ${advice}`;
}

/** The ports that a service needs for itself in the whole swarm, by their keys. */
export function ingressPorts(ports: readonly PortConfig[]): string[] {
  return ports
    .filter(({ publishMode, publishedPort }) => publishMode === 'ingress' && publishedPort !== 0)
    .map(portKey);
}

/** As in SwarmKit: what makes a port the same one in a service's spec before and after. */
function isSame(a: PortConfig, b: PortConfig): boolean {
  return a.name === b.name && a.protocol === b.protocol && a.targetPort === b.targetPort;
}
