import { beforeEach, expect, test } from 'vitest';
import type { Service, ServiceSpec, Task } from '../../model/index.ts';
import type { Store } from '../../store/index.ts';
import { expectedService } from './expected.ts';
import { serviceFindings } from './service-findings.ts';
import { onNetwork, putNode, putService, putTask, storeWithNetworks } from './testing.ts';

let store: Store;
beforeEach(async () => {
  store = await storeWithNetworks();
  await putNode(store, 'host1');
  await putNode(store, 'host2');
  return () => store.close();
});

/** As `verdict subject: text`. */
function found(service: Service): string[] {
  const { view } = store;
  return serviceFindings(view, service, expectedService(view, service)).map(
    ({ verdict, subject, text }) => `${verdict} ${subject}: ${text}`,
  );
}

async function withTasks(parts: Partial<Task> = {}, spec: Partial<ServiceSpec> = {}): Promise<Service> {
  const service = await putService(store, 'web', spec);
  await putTask(store, service, 1, 'host1');
  await putTask(store, service, 2, 'host2', parts);
  return service;
}

const status = (parts: Partial<Task['status']>): Task['status'] => ({
  ...{ state: 'running', timestampMs: 1, message: '', err: '', ports: [], appliedBy: '', appliedAtMs: 0 },
  ...parts,
});

test('a service that serves as it should', async () => {
  expect(found(await withTasks())).toEqual(['ok tasks: 2 of 2 serve']);
});

test('where a service is to be found', async () => {
  const { virtualIps, tasks } = expectedService(store.view, await withTasks());
  expect(virtualIps).toEqual([
    { networkId: 'n0', network: 'ingress', address: '10.0.0.5' },
    { networkId: 'n1', network: 'back', address: '10.0.1.5' },
  ]);
  expect(tasks.map(({ name, node }) => [name, node])).toEqual([
    ['web.1', 'host1'],
    ['web.2', 'host2'],
  ]);
  expect(tasks[0]?.addresses[1]).toEqual({ networkId: 'n1', network: 'back', address: '10.0.1.11' });
});

test('tasks that have ended are not listed, and their last words are told', async () => {
  const service = await withTasks({ status: status({ state: 'failed', err: 'task: non-zero exit (1)' }) });
  expect(expectedService(store.view, service).tasks).toHaveLength(1);
  expect(found(service)).toEqual(['warning tasks: 1 of 2 serves; last said: task: non-zero exit (1)']);
});

test('none that serves is a fault', async () => {
  const service = await putService(store);
  expect(found(service)).toEqual(['fault tasks: None of 2 serves, so connections are refused']);
});

test('a task that is to stop serves no more', async () => {
  expect(found(await withTasks({ desiredState: 'shutdown' }))).toEqual(['warning tasks: 1 of 2 serves']);
});

test('a task on a node that is down counts for nothing', async () => {
  await putNode(store, 'host3', { status: { state: 'down', message: '', addr: '' } });
  expect(found(await withTasks({ nodeId: 'host3' }))).toEqual([
    'warning tasks: 1 of 2 serves',
    'warning tasks: one task on host3 not counted: down',
  ]);
});

test('none wanted is well', async () => {
  const service = await putService(store, 'web', { mode: { kind: 'replicated', replicas: 0 } });
  expect(found(service)).toEqual(['ok tasks: None is wanted: connections are refused at once']);
});

test('a task without an address, and one whose node has none', async () => {
  await putNode(store, 'host3', { attachments: [onNetwork('n0', '10.0.0.251/24')] });
  const one = await withTasks({ networks: [onNetwork('n0', '10.0.0.12/24')] });
  expect(found(one)).toContain(
    'fault web.2 on host2: It runs without an address on back and gets nothing from there: a newer task will',
  );
  const other = await putService(store, 'other', { mode: { kind: 'replicated', replicas: 1 } });
  await putTask(store, other, 3, 'host3');
  expect(found(other)).toEqual([
    'ok tasks: 1 of 1 serves',
    'fault other.3 on host3: Its node has no address on back, so nothing balances there',
  ]);
});

test('what the allocator has not given yet', async () => {
  const service = await putService(
    store,
    'web',
    {
      mode: { kind: 'replicated', replicas: 0 },
      endpoint: {
        mode: 'vip',
        ports: [{ name: '', protocol: 'tcp', targetPort: 80, publishedPort: 0, publishMode: 'ingress' }],
      },
    },
    false,
  );
  expect(found(service)).toEqual([
    'fault published ports: one port got no number yet: see docker service ps',
    'fault virtual IPs: It has none on back yet: see docker service ps for what is in the way',
    'ok tasks: None is wanted: connections are refused at once',
  ]);
});

test('a service that needs no address', async () => {
  const task = { networks: [], forceUpdate: 0 };
  const service = await putService(store, 'web', { task, endpoint: { mode: 'vip', ports: [] } }, false);
  expect(found(service)).toEqual([
    'ok addresses: It is on no overlay network and publishes nothing by the mesh: none is needed',
  ]);
});

test('dnsrr has no virtual IP', async () => {
  const parts = { mode: { kind: 'global' }, endpoint: { mode: 'dnsrr', ports: [] } } as const;
  const service = await putService(store, 'web', parts, false);
  await putTask(store, service, 1, 'host1');
  expect(found(service)).toEqual([
    "ok virtual IPs: It has none (--endpoint-mode dnsrr): its name gives its tasks' addresses",
    'ok tasks: 1 of 1 serves',
  ]);
});

test('a label that does nothing', async () => {
  const labels = { 'skep.mesh.keep-client-address': 'yes' };
  expect(found(await withTasks({}, { annotations: { name: 'web', labels } }))).toContain(
    "warning clients' addresses: The label skep.mesh.keep-client-address is neither true nor false: it does nothing",
  );
});
