import type { Node } from '../../model/index.ts';
import { quoted } from '../expression.ts';
import { byteText, cpuText } from '../explain.ts';
import type { PreparedFilter } from '../types.ts';
import type { Constraint } from './constraint.ts';
import type { NodeInfo } from './node-info.ts';
import type { TaskRequest } from './task-request.ts';
import { hasPlatform } from './platform.ts';

/** Explanations hold nothing that every task changes, so that those who wait need not be told anew all the time. */
export interface ServiceFilter extends PreparedFilter<NodeInfo> {
  /** Docker's words for so many nodes that it refused. */
  readonly phrase: (nodes: number) => string;
  /** Whether a task that a node took may make it refuse the next. */
  readonly depletes: boolean;
}

/** The filters that have something to say of a request, in SwarmKit's order: a node counts as refused by the first. */
export function filtersFor(request: TaskRequest): ServiceFilter[] {
  return [
    ready(),
    ...resources(request),
    ...plugins(request),
    ...constraints(request),
    ...platforms(request),
    ...hostPorts(request),
    ...maxReplicas(request),
    ...clusterVolumes(request),
  ];
}

const onNodes =
  (words: string) =>
  (nodes: number): string =>
    `${words} on ${nodes === 1 ? '1 node' : `${nodes} nodes`}`;

/** Whether a node takes new tasks at all. */
export function isReady({ status, spec }: Node): boolean {
  return status.state === 'ready' && spec.availability === 'active';
}

function ready(): ServiceFilter {
  return {
    name: 'ready',
    conditions: [],
    depletes: false,
    phrase: (nodes) => `${nodes === 1 ? '1 node' : `${nodes} nodes`} not available for new tasks`,
    check: ({ node }) => isReady(node),
    explain: ({ node }) =>
      node.status.state === 'ready' ? `availability is ${node.spec.availability}` : node.status.state,
  };
}

function resources({ nanoCpus, memoryBytes, generic }: TaskRequest): ServiceFilter[] {
  if (nanoCpus <= 0 && memoryBytes <= 0 && generic.length === 0) return [];
  const lacksCpu = (info: NodeInfo): boolean => nanoCpus > 0 && nanoCpus > info.freeNanoCpus;
  const lacksMemory = (info: NodeInfo): boolean => memoryBytes > 0 && memoryBytes > info.freeMemoryBytes;
  const lacking = (info: NodeInfo) =>
    generic.filter(({ kind, amount }) => amount > 0 && amount > info.freeGeneric(kind));
  return [
    {
      name: 'resources',
      conditions: [],
      depletes: true,
      phrase: onNodes('insufficient resources'),
      check: (info) =>
        !lacksCpu(info) && !lacksMemory(info) && (generic.length === 0 || lacking(info).length === 0),
      explain: (info) =>
        [
          ...(lacksCpu(info) ? [lack(nanoCpus, info.totalNanoCpus, (cpus) => `${cpuText(cpus)} CPUs`)] : []),
          ...(lacksMemory(info)
            ? [lack(memoryBytes, info.totalMemoryBytes, (bytes) => `${byteText(bytes)} memory`)]
            : []),
          ...lacking(info).map(({ kind, amount }) =>
            amount === Infinity
              ? `${quoted(kind)} is not asked for by number`
              : `${amount} ${quoted(kind)} not free`,
          ),
        ].join(', '),
    },
  ];
}

function lack(need: number, has: number, text: (amount: number) => string): string {
  return need > has ? `needs ${text(need)}, has ${text(has)}` : `${text(need)} not free of ${text(has)}`;
}

function plugins({ volumeDrivers, networkDrivers, logDriver }: TaskRequest): ServiceFilter[] {
  if (volumeDrivers.length === 0 && networkDrivers.length === 0 && logDriver === '') return [];
  const missing = (info: NodeInfo): string | undefined => {
    // A node that has said nothing of an engine, or an old engine that says nothing of its log drivers, is not judged.
    if (!info.node.description?.engineVersion) return undefined;
    const volume = volumeDrivers.find((name) => !info.hasPlugin('Volume', name));
    if (volume !== undefined) return `no volume driver ${quoted(volume)}`;
    const network = networkDrivers.find((name) => !info.hasPlugin('Network', name));
    if (network !== undefined) return `no network driver ${quoted(network)}`;
    if (logDriver !== '' && info.hasPlugin('Log') && !info.hasPlugin('Log', logDriver))
      return `no log driver ${quoted(logDriver)}`;
    return undefined;
  };
  return [
    {
      name: 'plugin',
      conditions: [],
      depletes: false,
      phrase: onNodes('missing plugin'),
      check: (info) => missing(info) === undefined,
      explain: (info) => missing(info) ?? '',
    },
  ];
}

function constraints({ constraints: all }: TaskRequest): ServiceFilter[] {
  if (all.length === 0) return [];
  const text = ({ key, operator, value }: Constraint): string => quoted(`${key}${operator}${value}`);
  return [
    {
      name: 'constraint',
      conditions: all.map(text),
      depletes: false,
      phrase: onNodes('scheduling constraints not satisfied'),
      check: ({ node }) => all.every((constraint) => constraint.matches(node)),
      explain: ({ node }) => {
        const failing = all.find((constraint) => !constraint.matches(node));
        return failing ? text(failing) : '';
      },
    },
  ];
}

function platforms({ platforms: wanted }: TaskRequest): ServiceFilter[] {
  if (wanted.length === 0) return [];
  return [
    {
      name: 'platform',
      conditions: [],
      depletes: false,
      phrase: onNodes('unsupported platform'),
      check: ({ node }) => hasPlatform(node, wanted),
      explain: ({ node }) => {
        const has = node.description?.platform;
        return has ? quoted(`${has.os}/${has.architecture}`) : 'not known';
      },
    },
  ];
}

function hostPorts({ hostPorts: wanted }: TaskRequest): ServiceFilter[] {
  if (wanted.length === 0) return [];
  return [
    {
      name: 'port',
      conditions: [],
      depletes: true,
      phrase: onNodes('host-mode port already in use'),
      check: (info) => !wanted.some((port) => info.hasHostPort(port)),
      explain: (info) => wanted.find((port) => info.hasHostPort(port)) ?? '',
    },
  ];
}

function maxReplicas({ maxReplicas: max, serviceId }: TaskRequest): ServiceFilter[] {
  if (max <= 0) return [];
  return [
    {
      name: 'max replicas',
      conditions: [],
      depletes: true,
      phrase: () => 'max replicas per node limit exceed',
      check: (info) => info.activeTasksOf(serviceId) < max,
      explain: () => `${max} there`,
    },
  ];
}

function clusterVolumes({ clusterVolumes: wanted }: TaskRequest): ServiceFilter[] {
  if (!wanted) return [];
  return [
    {
      name: 'volume',
      conditions: [],
      depletes: false,
      phrase: onNodes('cannot fulfill requested CSI volume mounts'),
      check: () => false,
      explain: () => 'there are no cluster volumes',
    },
  ];
}
