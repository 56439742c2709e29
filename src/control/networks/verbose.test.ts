import { expect, it } from 'vitest';
import { ingressNetwork } from '../../allocator/index.ts';
import type { NetworkAttachment, Task } from '../../model/index.ts';
import type { Fresh } from '../../store/index.ts';
import { startControlApi } from '../testing/control-api.ts';
import { sampleNode } from '../testing/sample-node.ts';

const place = (networkId: string, address: string): NetworkAttachment => ({
  ...{ networkId, addresses: [address], aliases: [], driverOptions: {} },
});

const shownTask = (Name: string, EndpointIP: string): object => ({
  ...{ Name, EndpointID: '', EndpointIP, Info: { 'Host IP': '10.0.0.2' } },
});

function task(id: string, service: string, more: Partial<Task> = {}): Fresh<'task'> {
  const moment = { timestampMs: 0, appliedBy: '', appliedAtMs: 0 };
  return {
    ...{ id, serviceId: service, slot: 2, nodeId: 'n1', specVersion: 1, desiredState: 'running' },
    annotations: { name: '', labels: {} },
    serviceAnnotations: { name: service, labels: {} },
    spec: { networks: [], forceUpdate: 0 },
    status: { state: 'running', message: '', err: '', ports: [], ...moment },
    networks: [place('far', '10.2.0.6/24')],
    assignedGenericResources: [],
    ...more,
  };
}

/** The engine beside the manager is on `here`, and not on `far`. */
const ENGINE_SAYS = {
  ...{ Name: 'here', Id: 'here', Scope: 'swarm' },
  Services: { web: { VIP: '10.1.0.9', Tasks: [] } },
  Peers: [{ Name: 'abc', IP: '192.0.2.1' }],
};

async function start() {
  const it = await startControlApi({
    engine: {
      json: (_method, path) =>
        Promise.resolve({ status: 200, value: path === '/networks' ? [ENGINE_SAYS] : ENGINE_SAYS }),
    },
  });
  const { spec } = ingressNetwork();
  await it.store.update((tx) => {
    tx.create('node', sampleNode('n1', { attachments: [place('far', '10.2.0.5/24')] }));
    tx.create('node', sampleNode('n2'));
    for (const id of ['far', 'here'])
      tx.create('network', { id, spec: { ...spec, ingress: false, annotations: { name: id, labels: {} } } });
    tx.create('network', { id: 'mesh', spec });
    const port = {
      name: '',
      protocol: 'tcp',
      targetPort: 80,
      publishedPort: 8080,
      publishMode: 'ingress',
    } as const;
    const web = { mode: 'vip', ports: [port] } as const;
    for (const [name, endpoint] of [
      ['web', web],
      ['idle', web],
      ['other', { mode: 'dnsrr', ports: [] } as const],
    ] as const)
      tx.create('service', {
        ...{ id: name, specVersion: 1 },
        spec: {
          annotations: { name, labels: {} },
          task: {
            networks: ['far', 'here'].map((target) => ({
              target,
              aliases: [],
              driverOptions: {},
              addresses: [],
            })),
            forceUpdate: 0,
          },
          mode: { kind: 'replicated', replicas: 1 },
          endpoint,
        },
        endpoint: {
          spec: endpoint,
          ports: endpoint.ports,
          virtualIps: ['mesh', 'far'].flatMap((networkId) =>
            endpoint.mode === 'vip' ? { networkId, addr: '10.2.0.2/24' } : [],
          ),
        },
      });
    tx.create(
      'task',
      task('t1', 'web', { networks: [place('far', '10.2.0.6/24'), place('mesh', '10.0.0.6/24')] }),
    );
    tx.create('task', task('t2', 'web', { status: { ...task('', '').status, state: 'failed' } }));
    tx.create('task', task('t3', 'other', { networks: [place('here', '10.1.0.7/24')] }));
    const attachment = { containerId: 'c'.repeat(64) };
    tx.create('task', task('t4', '', { spec: { attachment, networks: [], forceUpdate: 0 } }));
  });
  return it;
}

it('shows of a network that the engine is not on what the swarm knows', async () => {
  await using it = await start();
  const { value } = await it.call('GET', '/networks/far?verbose=1');
  expect(value).toMatchObject({
    Peers: [{ Name: 'host-n1', IP: '10.0.0.2' }],
    Services: {
      web: { VIP: '10.2.0.2', Ports: [], LocalLBIndex: 0, Tasks: [shownTask('web.2.t1', '10.2.0.6')] },
      '': { VIP: '<nil>', Ports: [], LocalLBIndex: 0, Tasks: [shownTask('c'.repeat(12), '10.2.0.6')] },
    },
  });
  expect(Object.keys((value as { Services: object }).Services)).toEqual(['web', '']);
  const { value: ingress } = await it.call('GET', '/networks/mesh?verbose=true');
  expect(ingress).toMatchObject({ Services: { web: { Ports: ['Target: 80, Publish: 8080'] } } });
  expect((await it.call('GET', '/networks/far')).value).not.toHaveProperty('Services');
});

it('adds to what the engine says what it can not know yet', async () => {
  await using it = await start();
  const { value } = await it.call('GET', '/networks/here?verbose=1');
  expect(value).toEqual({
    ...ENGINE_SAYS,
    Services: {
      ...ENGINE_SAYS.Services,
      other: { VIP: '<nil>', Ports: [], LocalLBIndex: 0, Tasks: [shownTask('other.2.t3', '10.1.0.7')] },
    },
  });
});
