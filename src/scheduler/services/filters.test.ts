import { describe, expect, it } from 'vitest';
import {
  constrain,
  hostPort,
  nodeOf,
  reserve,
  silentNode,
  taskOf,
  type TaskWishes,
} from '../../../test/placement/samples.ts';
import { containerFixture, type NodeWishes } from '../../../test/simulation/fixtures.ts';
import type { Mount, NodeDescription, Platform } from '../../model/index.ts';
import { TaskGroup } from './group.ts';
import { NodeInfo } from './node-info.ts';
import { requestOf } from './task-request.ts';

const DRIVERS: Readonly<Record<string, string>> = { net1: 'overlay', net2: 'weave' };

function groupOf(wishes: TaskWishes): TaskGroup {
  return new TaskGroup(requestOf(taskOf('t', wishes), (id) => DRIVERS[id]));
}

/** What a node says to a task when it has `others` already; '' when it takes it. */
function refusal(task: TaskWishes, node: NodeWishes = {}, ...others: TaskWishes[]): string {
  const info = new NodeInfo(nodeOf('core-1', node));
  for (const [index, other] of others.entries())
    info.put(taskOf(`o${index}`, { state: 'running', ...other, nodeId: 'core-1' }));
  const group = groupOf(task);
  expect(group.fits(info)).toBe(group.explainNode(info) === '');
  return group.explainNode(info);
}

const CPU = reserve({ nanoCpus: 2e9 });
const MEMORY = reserve({ memoryBytes: 6 * 2 ** 30 });

describe('ready', () => {
  it.each<[NodeWishes, string]>([
    [{}, ''],
    [{ state: 'down' }, '1 node not available for new tasks: ready: down: core-1'],
    [{ state: 'unknown' }, '1 node not available for new tasks: ready: unknown: core-1'],
    [{ state: 'disconnected' }, '1 node not available for new tasks: ready: disconnected: core-1'],
    [{ availability: 'drain' }, '1 node not available for new tasks: ready: availability is drain: core-1'],
    [{ availability: 'pause' }, '1 node not available for new tasks: ready: availability is pause: core-1'],
  ])('%j', (node, expected) => {
    expect(refusal({}, node)).toBe(expected);
  });
});

describe('resources', () => {
  it('counts what tasks reserve until they have ended', () => {
    expect(refusal({ spec: CPU })).toBe('');
    expect(refusal({ spec: CPU }, {}, { spec: CPU })).toBe('');
    expect(refusal({ spec: CPU }, {}, { spec: CPU }, { spec: CPU, desiredState: 'shutdown' })).toBe(
      'insufficient resources on 1 node: resources: 2 CPUs not free of 4 CPUs: core-1',
    );
    expect(refusal({ spec: MEMORY }, {}, { spec: MEMORY })).toBe(
      'insufficient resources on 1 node: resources: 6 GiB memory not free of 8 GiB memory: core-1',
    );
    expect(refusal({}, {}, { spec: CPU }, { spec: CPU })).toBe('');
  });

  it('a node that has not described itself has none', () => {
    const silent = silentNode('core-1');
    expect(groupOf({ spec: CPU }).explainNode(new NodeInfo(silent))).toBe(
      'insufficient resources on 1 node: resources: needs 2 CPUs, has 0 CPUs: core-1',
    );
    expect(groupOf({}).fits(new NodeInfo(silent))).toBe(true);
  });

  it('generic resources: amounts and names', () => {
    const two = { spec: reserve({ generic: [{ kind: 'gpu', value: 2 }] }) };
    const words = 'insufficient resources on 1 node: resources: 2 gpu not free: core-1';
    const named = [1, 2, 3].map((n) => ({ kind: 'gpu', value: `g${n}` }));
    expect(refusal(two)).toBe(words);
    expect(refusal(two, { resources: { generic: [{ kind: 'gpu', value: 2 }] } })).toBe('');
    expect(refusal(two, { resources: { generic: [{ kind: 'gpu', value: 1 }] } })).toBe(words);
    expect(refusal(two, { resources: { generic: named } })).toBe('');
    expect(refusal(two, { resources: { generic: named } }, { generic: named.slice(0, 2) })).toBe(words);
    expect(
      refusal({ spec: reserve({ generic: named.slice(0, 1) }) }, { resources: { generic: named } }),
    ).toBe('insufficient resources on 1 node: resources: gpu is not asked for by number: core-1');
  });
});

describe('plugins', () => {
  const mount = (name: string): Mount => ({
    type: 'volume',
    source: 'data',
    target: '/data',
    readOnly: false,
    consistency: '',
    volume: { noCopy: false, labels: {}, subpath: '', driver: { name, options: {} } },
  });
  const withVolume = (name: string): TaskWishes => ({
    spec: { container: containerFixture({ mounts: [mount(name)] }) },
  });
  const withPlugins = (...plugins: NodeDescription['plugins'][number][]): NodeWishes => ({
    description: { plugins },
  });

  it('volumes', () => {
    expect(refusal(withVolume('local'), withPlugins())).toBe('');
    expect(refusal(withVolume(''), withPlugins())).toBe('');
    expect(refusal(withVolume('nfs'))).toBe('missing plugin on 1 node: plugin: no volume driver nfs: core-1');
    expect(refusal(withVolume('nfs'), withPlugins({ type: 'Volume', name: 'nfs' }))).toBe('');
    expect(refusal(withVolume('nfs'), withPlugins({ type: 'Volume', name: 'nfs:latest' }))).toBe('');
    expect(refusal(withVolume('nfs'), withPlugins({ type: 'Volume', name: 'nfs:1' }))).not.toBe('');
    expect(refusal(withVolume('nfs'), withPlugins({ type: 'Network', name: 'nfs' }))).not.toBe('');
  });

  it('networks', () => {
    expect(refusal({ networkId: 'net1' })).toBe('');
    expect(refusal({ networkId: 'net2' })).toBe(
      'missing plugin on 1 node: plugin: no network driver weave: core-1',
    );
    expect(refusal({ networkId: 'gone' })).toBe('');
  });

  it('log drivers', () => {
    const logging = (name: string): TaskWishes => ({ spec: { logDriver: { name, options: {} } } });
    expect(refusal(logging('json-file'))).toBe('');
    expect(refusal(logging('none'))).toBe('');
    expect(refusal(logging(''))).toBe('');
    expect(refusal(logging('loki'))).toBe('missing plugin on 1 node: plugin: no log driver loki: core-1');
    // Old engines say nothing of their log drivers.
    expect(refusal(logging('loki'), withPlugins({ type: 'Network', name: 'overlay' }))).toBe('');
  });

  it('a node that has not described an engine is not judged', () => {
    expect(refusal(withVolume('nfs'), { description: { engineVersion: '', plugins: [] } })).toBe('');
  });

  it('there are no cluster volumes', () => {
    const mounts: Mount[] = [{ ...mount('x'), type: 'cluster' }];
    expect(refusal({ spec: { container: containerFixture({ mounts }) } })).toBe(
      'cannot fulfill requested CSI volume mounts on 1 node: volume: there are no cluster volumes: core-1',
    );
  });
});

describe('constraints', () => {
  it('names the first that fails', () => {
    const asked = { spec: constrain('node.role==worker', 'node.labels.zone == a') };
    expect(refusal(asked, { labels: { zone: 'a' } })).toBe('');
    expect(refusal(asked)).toBe(
      'scheduling constraints not satisfied on 1 node: constraint: node.labels.zone==a: core-1',
    );
  });

  it('one that cannot be read holds nowhere', () => {
    expect(refusal({ spec: constrain('what?') })).not.toBe('');
  });
});

describe('platforms', () => {
  const on = (...platforms: Platform[]): TaskWishes => ({
    spec: { placement: { constraints: [], spreadOver: [], maxReplicas: 0, platforms } },
  });

  it.each<[Platform[], string]>([
    [[], ''],
    [[{ os: 'linux', architecture: 'amd64' }], ''],
    [[{ os: 'linux', architecture: 'x86_64' }], ''],
    [[{ os: 'linux', architecture: '' }], ''],
    [[{ os: '', architecture: 'amd64' }], ''],
    [
      [
        { os: 'windows', architecture: 'amd64' },
        { os: 'linux', architecture: 'amd64' },
      ],
      '',
    ],
    [
      [{ os: 'linux', architecture: 'arm64' }],
      'unsupported platform on 1 node: platform: linux/x86_64: core-1',
    ],
    [
      [{ os: 'windows', architecture: 'amd64' }],
      'unsupported platform on 1 node: platform: linux/x86_64: core-1',
    ],
  ])('%j', (platforms, expected) => {
    expect(refusal(on(...platforms))).toBe(expected);
  });

  it('knows aarch64 as arm64', () => {
    const asked = on({ os: 'linux', architecture: 'arm64' });
    expect(refusal(asked, { platform: { os: 'linux', architecture: 'aarch64' } })).toBe('');
  });
});

describe('ports and replicas', () => {
  it('a port in host mode is taken once a node and protocol', () => {
    const web = { ports: [hostPort(80)] };
    expect(refusal(web)).toBe('');
    expect(refusal(web, {}, { ports: [hostPort(80, 'udp')] })).toBe('');
    expect(refusal(web, {}, { ports: [{ ...hostPort(80), publishMode: 'ingress' }] })).toBe('');
    expect(refusal({ ports: [hostPort(0)] }, {}, { ports: [hostPort(0)] })).toBe('');
    expect(refusal(web, {}, { ports: [hostPort(80)], desiredState: 'shutdown' })).toBe(
      'host-mode port already in use on 1 node: port: 80/tcp: core-1',
    );
  });

  it('max replicas counts what is to run', () => {
    const asked: TaskWishes = {
      spec: { placement: { constraints: [], spreadOver: [], maxReplicas: 2, platforms: [] } },
    };
    expect(refusal(asked, {}, {}, { serviceId: 'other' })).toBe('');
    expect(refusal(asked, {}, {}, { desiredState: 'shutdown' })).toBe('');
    expect(refusal(asked, {}, {}, { specVersion: 7, desiredState: 'ready' })).toBe(
      'max replicas per node limit exceed: max replicas: 2 there: core-1',
    );
  });
});

describe('no suitable node', () => {
  const infos = (...wishes: [string, NodeWishes][]): NodeInfo[] =>
    wishes.map(([id, each]) => new NodeInfo(nodeOf(id, each)));

  it('says it in Docker’s words, the most frequent first, then names the nodes', () => {
    const nodes = infos(
      ['w1', { labels: { zone: 'b' } }],
      ['w2', { labels: { zone: 'a' }, resources: { nanoCpus: 1e9 } }],
      ['w3', {}],
      ['w4', { state: 'down' }],
      ['w5', { labels: { zone: 'b' }, availability: 'drain' }],
      ['w6', {}],
    );
    const group = groupOf({ spec: { ...constrain('node.labels.zone==a'), ...CPU } });
    expect(group.explain(nodes)).toBe(
      'no suitable node (scheduling constraints not satisfied on 3 nodes; 2 nodes not available for new tasks; ' +
        'insufficient resources on 1 node): constraint: node.labels.zone==a: w1, w3, w6; ready: down: w4; ' +
        'ready: availability is drain: w5; resources: needs 2 CPUs, has 1 CPUs: w2',
    );
  });

  it('is bounded, and plain when there are no nodes', () => {
    expect(groupOf({}).explain([])).toBe('no suitable node');
    const nodes = infos(
      ...Array.from({ length: 1000 }, (_, n): [string, NodeWishes] => [`host${n}`, { state: 'down' }]),
    );
    expect(groupOf({}).explain(nodes)).toBe(
      'no suitable node (1000 nodes not available for new tasks): ' +
        'ready: down: host0, host1, host2, host3, host4 … and 995 more',
    );
  });
});
