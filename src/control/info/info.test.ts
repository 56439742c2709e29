import { expect, test } from 'vitest';
import { exactNumber } from '../../base/exact-json.ts';
import { queryFilters } from '../../docker-api/index.ts';
import type { Service } from '../../model/index.ts';
import { memoryBackend, openStore } from '../../store/index.ts';
import { createCluster } from '../../ca/index.ts';
import { sampleNode } from '../testing/sample-node.ts';
import { eventTest } from './event-test.ts';
import { infoWithoutEngine, mergedInfo, mergedVersion } from './info.ts';
import { swarmEvent } from './swarm-events.ts';

const fault = (error: unknown): never => {
  throw error;
};
const SELF = { nodeId: 'self1', nodeAddr: '10.0.0.1', trouble: '' };

test("the engine's info gets the swarm as this manager knows it", async () => {
  const store = await openStore(memoryBackend(), { nowMs: () => 1000, onFault: fault });
  const cluster = await createCluster({}, Date.now());
  await store.update((tx) => {
    tx.create('cluster', cluster);
    tx.create('node', sampleNode('self1', { role: 'manager', managerAddr: '10.0.0.1:2377' }));
    tx.create('node', sampleNode('work1'));
  });
  const engine = {
    ID: 'E',
    NCPU: 2,
    Warnings: ['WARNING: bridge'],
    Swarm: { NodeID: 'self1', ControlAvailable: false },
  };
  const well = await mergedInfo(engine, store.view, SELF);
  expect(well).toMatchObject({
    ID: 'E',
    NCPU: 2,
    Warnings: ['WARNING: bridge'],
    Swarm: {
      NodeID: 'self1',
      NodeAddr: '10.0.0.1',
      LocalNodeState: 'active',
      ControlAvailable: true,
      Error: '',
      RemoteManagers: [{ NodeID: 'self1', Addr: '10.0.0.1:2377' }],
      Nodes: 2,
      Managers: 1,
      Cluster: { ID: cluster.id },
    },
  });
  expect(JSON.stringify(well)).not.toContain('SWMTKN');
  const ill = await mergedInfo(infoWithoutEngine({ name: 'h', version: '1' }), store.view, {
    ...SELF,
    trouble: 'gone',
  });
  expect(ill).toMatchObject({ Name: 'h', Warnings: ['WARNING: gone'], Swarm: { Error: 'gone', Nodes: 2 } });
});

test("the engine's version gets a component, and the oldest version that is served", () => {
  const engine = {
    ApiVersion: '1.41',
    MinAPIVersion: '1.12',
    Components: [{ Name: 'Engine', Details: { MinAPIVersion: '1.12', Os: 'linux' } }, { Name: 'runc' }],
  };
  expect(mergedVersion(engine, { Name: 'swarmd' }, '1.30')).toEqual({
    ApiVersion: '1.41',
    MinAPIVersion: '1.30',
    Components: [
      { Name: 'Engine', Details: { MinAPIVersion: '1.30', Os: 'linux' } },
      { Name: 'runc' },
      { Name: 'swarmd' },
    ],
  });
});

const meta = { version: 3, createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_001_500 };
const service = (replicas: number, image: string): Service =>
  ({
    id: 'svc1',
    meta,
    spec: {
      annotations: { name: 'web', labels: {} },
      mode: { kind: 'replicated', replicas },
      task: { container: { image } },
    },
  }) as Service;

test('changes of the swarm are events as Docker tells them', () => {
  const node = { ...sampleNode('n1'), meta };
  const down = { ...node, status: { ...node.status, state: 'down' as const } };
  expect(swarmEvent({ kind: 'node', type: 'update', object: down, previous: node }, 0)).toEqual({
    Type: 'node',
    Action: 'update',
    Actor: { ID: 'n1', Attributes: { name: 'host-n1', 'state.old': 'ready', 'state.new': 'down' } },
    scope: 'swarm',
    time: 1_700_000_001,
    timeNano: exactNumber('1700000001500000000'),
  });
  const scaled = {
    kind: 'service',
    type: 'update',
    object: service(3, 'a:2'),
    previous: service(1, 'a:1'),
  } as const;
  expect(swarmEvent(scaled, 0)?.Actor.Attributes).toEqual({
    name: 'web',
    'image.old': 'a:1',
    'image.new': 'a:2',
    'replicas.old': '1',
    'replicas.new': '3',
  });
  const made = swarmEvent({ kind: 'service', type: 'create', object: service(1, 'a') }, 0);
  expect(made).toMatchObject({
    Action: 'create',
    time: 1_700_000_000,
    Actor: { Attributes: { name: 'web' } },
  });
  const removed = swarmEvent({ kind: 'service', type: 'remove', object: service(1, 'a') }, 1_800_000_000_000);
  expect(removed).toMatchObject({ Action: 'remove', time: 1_800_000_000 });
  expect(JSON.stringify(made)).toContain('"timeNano":1700000000000000000');
});

test.each([
  [{}, true],
  [{ type: ['service'] }, true],
  [{ type: ['container'] }, false],
  [{ type: ['container', 'service'] }, true],
  [{ event: ['update'] }, false],
  [{ scope: ['swarm'] }, true],
  [{ scope: ['local'] }, false],
  [{ service: ['web'] }, true],
  [{ service: ['svc'] }, true],
  [{ service: ['other'] }, false],
  [{ node: ['web'] }, false],
  [{ container: ['web'] }, false],
  [{ label: ['name=web'] }, true],
])('the filter %j lets a service be told of: %s', (filters, told) => {
  const query = new URLSearchParams({ filters: JSON.stringify(filters) });
  const event = swarmEvent({ kind: 'service', type: 'create', object: service(1, 'a') }, 0);
  expect(event && eventTest(queryFilters(query))(event)).toBe(told);
});
