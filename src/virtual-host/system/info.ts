import { hostname, release } from 'node:os';
import { asArray, asObject, asString, asStrings, type Json } from '../../base/json.ts';
import { humanSize } from '../../docker-api/index.ts';
import type { Context, Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { goArch } from './system.ts';

type Line = [string, string];

interface Counts {
  all: number;
  running: number;
  paused: number;
  stopped: number;
}

/** What every engine must have before the cluster has it; a client warns of each that is missing. */
const ABILITIES = [
  'MemoryLimit',
  'SwapLimit',
  'KernelMemory',
  'KernelMemoryTCP',
  'CpuCfsPeriod',
  'CpuCfsQuota',
  'CPUShares',
  'CPUSet',
  'PidsLimit',
  'OomKillDisable',
  'IPv4Forwarding',
  'BridgeNfIptables',
  'BridgeNfIp6tables',
];

/** What is shown when all engines agree on it. */
const AGREED = [
  'CgroupDriver',
  'CgroupVersion',
  'LoggingDriver',
  'DefaultRuntime',
  'Runtimes',
  'InitBinary',
  'ContainerdCommit',
  'RuncCommit',
  'InitCommit',
  'SecurityOptions',
  'Isolation',
  'DockerRootDir',
  'IndexServerAddress',
  'RegistryConfig',
  'HttpProxy',
  'HttpsProxy',
  'NoProxy',
  'GenericResources',
  'LiveRestoreEnabled',
];

/** `GET /info`, put together anew, but for the time, only when something of it has changed. */
export function createInfo(): Handler {
  let kept: { key: string; head: string } | undefined;
  return async (call, context) => {
    const { pool, leadership } = context;
    await pool.settle();
    const { role, primary = '' } = leadership;
    const key = `${role}/${primary}/${pool.version}/${pool.index.version}/${sumsOf(pool.nodes())}/${call.minor < 22}`;
    if (kept?.key !== key) {
      kept = { key, head: JSON.stringify(describe(context, call.minor < 22)).slice(0, -1) };
    }
    call.body(200, 'application/json', `${kept.head},"SystemTime":"${new Date().toISOString()}"}`);
  };
}

/** What changes without the container index: images, and what placements under way hold. */
function sumsOf(nodes: readonly EngineNode[]): string {
  let versions = 0;
  let nanoCpus = 0;
  let memoryBytes = 0;
  for (const { inventory, sched } of nodes) {
    versions += inventory.version;
    nanoCpus += sched.usedNanoCpus;
    memoryBytes += sched.usedMemoryBytes;
  }
  return `${versions} ${nanoCpus} ${memoryBytes}`;
}

function describe(context: Context, old: boolean): Json {
  const { pool, config } = context;
  const nodes = pool.nodes();
  const known = nodes.filter((node) => node.info);
  const raws = known.map((node) => node.info?.raw ?? {});
  const counts = new Map(nodes.map((node) => [node, count(node)]));
  const total = sum([...counts.values()]);
  const status = statusLines(context, nodes, counts);
  const abilities = Object.fromEntries(
    // Without engines nothing is missing: ten warnings would hide the line that says why there are none.
    ABILITIES.map((key) => [key, raws.every((raw) => raw[key] === true || raw[key] === undefined)]),
  );
  const agreed = Object.fromEntries(AGREED.flatMap((key) => agreedValue(key, raws)));
  return {
    ID: '',
    Name: hostname(),
    ServerVersion: `swarm/${config.version}`,
    Containers: total.all,
    ContainersRunning: total.running,
    ContainersPaused: total.paused,
    ContainersStopped: total.stopped,
    Images: nodes.reduce((number, node) => number + node.inventory.images.length, 0),
    Driver: '',
    // Clients before 1.22 know no SystemStatus.
    DriverStatus: old ? status : null,
    SystemStatus: old ? null : status,
    Plugins: mergedPlugins(raws),
    ...agreed,
    ...abilities,
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    KernelVersion: release(),
    OperatingSystem: 'linux',
    OSType: 'linux',
    OSVersion: '',
    Architecture: goArch(),
    NCPU: Math.floor(known.reduce((number, node) => number + node.sched.totalNanoCpus, 0) / 1e9),
    MemTotal: known.reduce((number, node) => number + node.sched.totalMemoryBytes, 0),
    Labels: [],
    ExperimentalBuild: false,
    ClusterStore: '',
    ClusterAdvertise: '',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    Warnings: mergedWarnings(known),
  };
}

function count(node: EngineNode): Counts {
  const counts: Counts = { all: 0, running: 0, paused: 0, stopped: 0 };
  for (const { state } of node.inventory.containers.values()) {
    counts.all += 1;
    if (state === 'paused') counts.paused += 1;
    else if (state === 'running' || state === 'restarting') counts.running += 1;
    else counts.stopped += 1;
  }
  return counts;
}

function sum(all: readonly Counts[]): Counts {
  return all.reduce(
    (a, b) => ({
      all: a.all + b.all,
      running: a.running + b.running,
      paused: a.paused + b.paused,
      stopped: a.stopped + b.stopped,
    }),
    { all: 0, running: 0, paused: 0, stopped: 0 },
  );
}

function statusLines(
  { pool, config, leadership }: Context,
  nodes: readonly EngineNode[],
  counts: Map<EngineNode, Counts>,
): Line[] {
  const lines: Line[] = [
    ['Role', leadership.role],
    ...(leadership.role === 'replica' ? [['Primary', leadership.primary ?? '(none)'] satisfies Line] : []),
    ['Strategy', config.strategy],
    ['Filters', config.filters.join(', ')],
  ];
  if (pool.discoveryTrouble !== '') lines.push(['Discovery', pool.discoveryTrouble]);
  lines.push(['Nodes', String(nodes.length)]);
  const byName = [...nodes].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const node of byName) lines.push(...nodeLines(node, counts.get(node) ?? sum([])));
  return lines;
}

function nodeLines(node: EngineNode, counts: Counts): Line[] {
  const { sched } = node;
  const labels = Object.entries(node.info?.labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  const lines: Line[] = [
    ['ID', node.id],
    ['Status', node.state],
    [
      'Containers',
      `${counts.all} (${counts.running} Running, ${counts.paused} Paused, ${counts.stopped} Stopped)`,
    ],
    ['Reserved CPUs', `${cores(sched.usedNanoCpus)} / ${cores(sched.totalNanoCpus)}`],
    ['Reserved Memory', `${humanSize(sched.usedMemoryBytes)} / ${humanSize(sched.totalMemoryBytes)}`],
    ['Labels', labels.join(', ')],
    ['Error', node.trouble === '' ? '(none)' : node.trouble],
    ['UpdatedAt', new Date(node.updatedAtMs).toISOString().replace(/\.\d+Z$/, 'Z')],
    ['ServerVersion', node.info?.serverVersion ?? ''],
  ];
  return [[` ${node.name}`, node.address.text], ...lines.map(([key, value]): Line => [`  └ ${key}`, value])];
}

/** Cores with at most two decimals: 2, 2.1, 0.25. */
function cores(nano: number): string {
  return String(Math.round(nano / 1e7) / 100);
}

function agreedValue(key: string, raws: readonly Json[]): [string, unknown][] {
  const [first, ...others] = raws;
  if (first?.[key] === undefined) return [];
  const text = JSON.stringify(first[key]);
  return others.every((raw) => JSON.stringify(raw[key]) === text) ? [[key, first[key]]] : [];
}

function mergedPlugins(raws: readonly Json[]): Json {
  const merged: Json = {};
  for (const kind of ['Volume', 'Network', 'Authorization', 'Log']) {
    merged[kind] = [...new Set(raws.flatMap((raw) => asStrings(asObject(raw['Plugins'])[kind])))].sort();
  }
  return merged;
}

/** An engine's warning of its own open port; said of the cluster it would be false. */
const OF_ONE_ENGINE = /^(WARNING|\[DEPRECATION NOTICE\]): API is accessible on /;

/** What engines warn of, with the names of those that do where it is not all of them. */
function mergedWarnings(nodes: readonly EngineNode[]): string[] {
  const byText = new Map<string, string[]>();
  for (const node of nodes) {
    for (const warning of asArray(node.info?.raw['Warnings'])) {
      const text = asString(warning);
      if (text !== '' && !OF_ONE_ENGINE.test(text))
        byText.set(text, [...(byText.get(text) ?? []), node.name]);
    }
  }
  return [...byText].map(([text, names]) =>
    names.length === nodes.length ? text : `${text} (${names.join(', ')})`,
  );
}
