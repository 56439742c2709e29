import { asArray, asObject, asStrings, type Json } from '../../base/json.ts';
import type { Node } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { clusterInfo } from '../swarm/shown.ts';

/** What a manager adds to its engine's `/info`. */
export interface ManagerFacts {
  readonly nodeId: string;
  /** The address that others know this host by. */
  readonly nodeAddr: string;
  /** What is wrong between this manager and its engine; empty where nothing is. */
  readonly trouble: string;
}

/** The engine's `/info` with the swarm as this manager knows it. */
export async function mergedInfo(engine: Json, view: View, facts: ManagerFacts): Promise<Json> {
  const warnings = asStrings(engine['Warnings']);
  if (facts.trouble !== '') warnings.push(`WARNING: ${facts.trouble}`);
  return {
    ...engine,
    Swarm: await swarmInfo(view, facts),
    Warnings: warnings.length > 0 ? warnings : (engine['Warnings'] ?? null),
  };
}

async function swarmInfo(view: View, { nodeId, nodeAddr, trouble }: ManagerFacts): Promise<Json> {
  const cluster = view.cluster();
  const managers: Node[] = [];
  for (const node of view.all('node')) if (node.managerAddr !== undefined) managers.push(node);
  return {
    NodeID: nodeId,
    NodeAddr: nodeAddr,
    LocalNodeState: 'active',
    ControlAvailable: true,
    Error: trouble,
    RemoteManagers: managers.map(({ id, managerAddr }) => ({ NodeID: id, Addr: managerAddr })),
    Nodes: view.count('node'),
    Managers: managers.length,
    ...(cluster ? { Cluster: await clusterInfo(cluster) } : {}),
  };
}

/** `/info` while the engine does not answer: every member that clients read without asking is there. */
export function infoWithoutEngine(about: { readonly name: string; readonly version: string }): Json {
  return {
    ID: '',
    Containers: 0,
    ContainersRunning: 0,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: 0,
    Driver: '',
    DriverStatus: null,
    Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
    Name: about.name,
    ServerVersion: about.version,
    OSType: 'linux',
    OperatingSystem: '',
    Architecture: '',
    KernelVersion: '',
    NCPU: 0,
    MemTotal: 0,
    Labels: [],
    RegistryConfig: null,
    Runtimes: {},
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: null,
    Warnings: null,
  };
}

/** The engine's `/version` with this daemon among its components. `minimum` is the oldest version that is served. */
export function mergedVersion(engine: Json, component: Json, minimum: string): Json {
  return {
    ...engine,
    MinAPIVersion: minimum,
    Components: [...asArray(engine['Components']).map((one) => raised(asObject(one), minimum)), component],
  };
}

/** Clients print the numbers of the component "Engine". */
function raised(component: Json, minimum: string): Json {
  if (component['Name'] !== 'Engine') return component;
  return { ...component, Details: { ...asObject(component['Details']), MinAPIVersion: minimum } };
}
