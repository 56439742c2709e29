import { beforeEach, expect, test } from 'vitest';
import type { Balancing, TakenPort } from '../mesh-knowledge.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';
import { sampleNode } from '../testing/sample-node.ts';
import { published, putNetworks, serviceOf, SPEC } from '../testing/service-samples.ts';

let api: ControlApi;
/** By node; all others balance. */
const balancing = new Map<string, Balancing>();
let taken: readonly TakenPort[] = [];

beforeEach(async () => {
  balancing.clear();
  taken = [];
  api = await startControlApi({
    mesh: {
      balancing: (nodeId) => balancing.get(nodeId) ?? 'nftables',
      settled: () => Promise.resolve(),
      taken: (ports) => Promise.resolve(ports.length > 0 ? taken : []),
    },
  });
  await putNetworks(api.store);
  await put('a');
  await put('b');
  return () => api[Symbol.asyncDispose]();
});

const put = (id: string, parts: Parameters<typeof sampleNode>[1] = {}) =>
  api.store.update((tx) => tx.create('node', sampleNode(id, parts)));

async function warningsOf(spec: object): Promise<unknown> {
  const { status, value } = await api.call('POST', '/services/create', spec);
  expect(status).toBe(201);
  return (value as { Warnings: unknown }).Warnings;
}

async function warningsOfUpdate(spec: object, query = ''): Promise<unknown> {
  const { id, meta } = serviceOf(api.store);
  const path = `/services/${id}/update?version=${meta.version}${query}`;
  const { status, value } = await api.call('POST', path, spec);
  expect(status).toBe(200);
  return (value as { Warnings: unknown }).Warnings;
}

const onBack = {
  ...SPEC,
  TaskTemplate: { ...SPEC.TaskTemplate, Networks: [{ Target: 'back' }] },
};

test('no warning where all nodes balance, or nothing needs it', async () => {
  expect(await warningsOf(published('web', {}))).toBeNull();
  balancing.set('a', 'none').set('b', 'unlikely');
  expect(await warningsOf({ ...SPEC, Name: 'quiet' })).toBeNull();
  expect(await warningsOf(published('hosted', { PublishedPort: 81, PublishMode: 'host' }))).toBeNull();
  expect(await warningsOf({ ...onBack, Name: 'names', EndpointSpec: { Mode: 'dnsrr' } })).toBeNull();
});

test('a published port that a node is known not to answer', async () => {
  balancing.set('b', 'none');
  expect(await warningsOf(published('web', {}))).toEqual([
    'Published port 80/tcp will not be answered by node host-b: its kernel has no IPVS, and no swarmd beside its engine balances instead; run swarmd there, or publish with mode=host.',
  ]);
});

test('several ports and nodes, in one sentence for what is known and one for what is likely', async () => {
  balancing.set('a', 'none').set('b', 'none');
  for (const id of ['c', 'd', 'e', 'f', 'g', 'h', 'i']) {
    await put(id);
    balancing.set(id, 'unlikely');
  }
  const Ports = [
    { TargetPort: 80, PublishedPort: 8080 },
    { TargetPort: 53, Protocol: 'udp' },
  ];
  expect(await warningsOf({ ...SPEC, EndpointSpec: { Ports } })).toEqual([
    'Published ports 8080/tcp and for 53/udp will not be answered by nodes host-a and host-b: their kernels have no IPVS, and no swarmd beside their engines balances instead; run swarmd there, or publish with mode=host.',
    "Published ports 8080/tcp and for 53/udp will probably not be answered by nodes host-c, host-d, host-e, host-f, host-g and 2 more: no swarmd beside their engines balances instead, and their kernels probably have no IPVS, as this manager's; run swarmd there, or publish with mode=host.",
  ]);
});

test('a virtual IP', async () => {
  balancing.set('a', 'none');
  expect(await warningsOf(onBack)).toEqual([
    "The service's virtual IP on back will not answer containers on node host-a: its kernel has no IPVS, and no swarmd beside its engine balances instead; run swarmd there, or use --endpoint-mode dnsrr.",
  ]);
});

test('nodes that are down are not spoken of; drained ones answer published ports only', async () => {
  await put('c', { status: { state: 'down', message: '', addr: '' } });
  await put('d', {
    spec: { annotations: { name: '', labels: {} }, role: 'worker', availability: 'drain' },
  });
  balancing.set('c', 'none').set('d', 'none');
  expect(await warningsOf(onBack)).toBeNull();
  expect(await warningsOf(published('other', {}))).toEqual([
    expect.stringMatching(/^Published port 80\/tcp will not be answered by node host-d:/),
  ]);
});

test('an update warns of what it adds', async () => {
  const web = published('web', {});
  await warningsOf(web);
  balancing.set('a', 'none');
  expect(await warningsOfUpdate(web)).toBeNull();
  const Ports = [80, 81].map((port) => ({ TargetPort: 80, PublishedPort: port }));
  expect(await warningsOfUpdate({ ...web, EndpointSpec: { Ports } })).toEqual([
    expect.stringMatching(/^Published port 81\/tcp will not/),
  ]);
  expect(await warningsOfUpdate(web, '&rollback=previous')).toBeNull();
  expect(await warningsOfUpdate(onBack)).toEqual([
    expect.stringMatching(/^The service's virtual IP on back/),
  ]);
});

test('a port that something else listens on', async () => {
  const port = { protocol: 'tcp', published: 80 } as const;
  taken = [
    { ...port, nodeId: 'a', by: 'nginx (process 812)' },
    { ...port, nodeId: 'b', by: '' },
    { ...port, nodeId: 'gone', by: '' },
  ];
  expect(await warningsOf(published('web', {}))).toEqual([
    'Published port 80/tcp will not be answered by node host-a: nginx (process 812) listens there already; stop that, or publish another port.',
    'Published port 80/tcp will not be answered by node host-b: something else listens there already; stop that, or publish another port.',
  ]);
});

test('an engine that listens on a port for the service itself is no stranger there', async () => {
  const web = published('web', {});
  await warningsOf(web);
  taken = [{ protocol: 'tcp', published: 80, nodeId: 'a', by: 'dockerd (process 7)' }];
  const Ports = [{ TargetPort: 81, PublishedPort: 80 }];
  expect(await warningsOfUpdate({ ...web, EndpointSpec: { Ports } })).toBeNull();
});
