import { readFileSync, rmSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { isObject, asArray, asNumber, asObject, asString, asStrings, type Json } from '../base/json.ts';
import type { Backend, BalancedNetwork, MeshPort, PortProtocol, ServiceEndpoints } from '../model/index.ts';

/** Who a worker is, and where it found its swarm. */
export interface WorkerPlace {
  readonly clusterId: string;
  readonly nodeId: string;
  /** `host:port` of the managers that were known last. */
  readonly managers: readonly string[];
  /** Where its engine keeps its data. */
  readonly dataRoot: string;
}

/** What is known of a node's balancer, by the time it was saved. */
export interface Remembered {
  readonly place: WorkerPlace;
  /** A balancer of this node may have put something into the kernel. */
  readonly touched: boolean;
  /** Undefined before any manager told anything. */
  readonly told: Told | undefined;
}

export interface Told {
  readonly networks: readonly BalancedNetwork[];
  readonly services: readonly ServiceEndpoints[];
}

const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'] satisfies readonly PortProtocol[];
/** A swarm of a thousand services with ten tasks each has 2 MB. */
const FILE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Writes it whole or not at all; 0600. A process that is killed loses nothing that was saved before; a host that loses
 * its power while this runs may find nothing. Rejects with the error of the disk.
 */
export async function saveRemembered(path: string, { place, ...rest }: Remembered): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify({ ...place, ...rest }));
    // Before the disk has it: that may take seconds, in which what the kernel has would be newer.
    await rename(draft, path);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Undefined for a file that is not there or makes no sense: a balancer that remembers nothing asks. */
export function readRemembered(path: string): Remembered | undefined {
  try {
    if (statSync(path).size > FILE_MAX_BYTES) return undefined;
    return remembered(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Throws the error of the disk. */
export function forgetRemembered(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}.new`, { force: true });
}

function remembered(value: unknown): Remembered | undefined {
  const { clusterId, nodeId, managers, dataRoot, touched, told } = asObject(value);
  const place = {
    clusterId: asString(clusterId),
    nodeId: asString(nodeId),
    managers: asStrings(managers),
    dataRoot: asString(dataRoot),
  };
  if (place.clusterId === '' || place.nodeId === '') return undefined;
  return {
    place,
    touched: touched !== false,
    told: isObject(told) ? toldOf(told) : undefined,
  };
}

function toldOf({ networks, services }: Json): Told {
  return { networks: objects(networks).map(networkOf), services: objects(services).map(serviceOf) };
}

function objects(value: unknown): Json[] {
  return asArray(value).filter(isObject);
}

function networkOf({ id, name, ingress, address, subnets, mtu, encrypted, entries }: Json): BalancedNetwork {
  return {
    id: asString(id),
    name: asString(name),
    ingress: ingress === true,
    address: asString(address),
    subnets: asStrings(subnets),
    mtu: asNumber(mtu),
    encrypted: encrypted === true,
    entries: objects(entries).map((one) => ({
      nodeId: asString(one['nodeId']),
      address: asString(one['address']),
    })),
  };
}

function serviceOf(value: Json): ServiceEndpoints {
  const { networkId, serviceId, name, virtualIp, keepClients, ports, backends } = value;
  return {
    networkId: asString(networkId),
    serviceId: asString(serviceId),
    name: asString(name),
    virtualIp: asString(virtualIp),
    keepClients: keepClients === true,
    ports: objects(ports).flatMap(portOf),
    backends: objects(backends).map(backendOf),
  };
}

function portOf({ protocol, published, target }: Json): MeshPort[] {
  const word = asString(protocol);
  if (!PROTOCOLS.includes(word)) return [];
  return [{ protocol: word as PortProtocol, published: asNumber(published), target: asNumber(target) }];
}

function backendOf({ taskId, nodeId, nodeAddress, address, state, keepsClients }: Json): Backend {
  return {
    taskId: asString(taskId),
    nodeId: asString(nodeId),
    nodeAddress: asString(nodeAddress),
    address: asString(address),
    state: state === 'leaving' ? 'leaving' : 'serving',
    keepsClients: keepsClients === true,
  };
}
