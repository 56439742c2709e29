import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  attachment,
  INGRESS,
  networkRow,
  nodeRow,
  port,
  serviceRow,
  setState,
  taskRow,
} from '../../test/endpoints/rows.ts';
import { startInProcess, type InProcess } from '../../test/endpoints/in-process.ts';
import type { EndpointsUpdate, Node } from '../model/index.ts';

let swarm: InProcess;
const SOON_MS = 50;
const WEB = serviceRow('web', 2);
const OTHER = serviceRow('other', 3, { networks: ['net-2'] });

beforeEach(async () => {
  swarm = await startInProcess({
    beforeRun: async (store) => {
      await store.update((tx) => {
        tx.create('service', WEB);
        tx.create('service', OTHER);
        tx.create('task', taskRow(WEB, 'node-1', 11, { id: 'web-1' }));
        tx.create('task', taskRow(OTHER, 'node-2', 12, { id: 'other-1' }));
      });
    },
  });
});
afterEach(() => swarm.stop());

async function changeNode(id: string, change: (node: Node) => Node): Promise<void> {
  await swarm.store.update((tx) => {
    const node = tx.get('node', id);
    if (node) tx.update('node', change(node));
  });
  await swarm.times.advance(SOON_MS);
}

const names = ({ services }: Pick<EndpointsUpdate, 'services'>): string[] =>
  services.map(({ networkId, serviceId }) => `${networkId}/${serviceId}`);

describe('what a node is told', () => {
  it('is first everything of the networks that it takes part in', async () => {
    const one = await swarm.balancer('node-1');
    const { version, networks, services, ...rest } = one.last ?? { version: 0, networks: [], services: [] };
    expect(version).toBeGreaterThan(0);
    expect(networks).toEqual([
      {
        ...{ id: INGRESS, name: INGRESS, ingress: true, mtu: 0, encrypted: false, entries: [] },
        address: '10.0.0.201/24',
        subnets: ['10.0.0.0/24'],
      },
      {
        ...{ id: 'net-1', name: 'net-1', ingress: false, mtu: 0, encrypted: false, entries: [] },
        address: '10.0.1.201/24',
        subnets: ['10.0.1.0/24'],
      },
    ]);
    expect(names({ services })).toEqual(['net-1/web']);
    expect(rest).toEqual({ full: true, goneNetworks: [], goneServices: [], questions: [] });
  });

  it('is then only what changes, under a version that grows', async () => {
    const one = await swarm.balancer('node-1');
    await swarm.store.update((tx) => tx.create('task', taskRow(WEB, 'node-2', 13, { id: 'web-2' })));
    await swarm.store.update((tx) => tx.create('task', taskRow(OTHER, 'node-2', 14)));
    await swarm.times.advance(SOON_MS);
    expect(one.updates).toHaveLength(2);
    expect(one.last).toMatchObject({ full: false, networks: [], goneServices: [] });
    expect(names(one.last ?? { services: [] })).toEqual(['net-1/web']);
    await swarm.store.update((tx) => tx.remove('service', 'other'));
    await setState(swarm.store, 'web-1', 'failed');
    await setState(swarm.store, 'web-2', 'failed');
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    await swarm.times.advance(SOON_MS);
    expect(one.last?.goneServices).toEqual([{ networkId: 'net-1', serviceId: 'web' }]);
    const versions = one.updates.map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  });

  it('is nothing where a task changes in what concerns nobody', async () => {
    const one = await swarm.balancer('node-1');
    await swarm.store.update((tx) => {
      const task = tx.get('task', 'web-1');
      if (task) tx.update('task', { ...task, status: { ...task.status, message: 'still well' } });
      tx.create('task', taskRow(WEB, 'node-1', 19, {}, 'starting'));
    });
    await swarm.times.advance(SOON_MS);
    expect(one.updates).toHaveLength(1);
  });

  it('is the latest state, once, for who reads slowly', async () => {
    const stop = new AbortController();
    const slow = swarm.endpoints.sourceOf('node-1').watch(stop.signal)[Symbol.asyncIterator]();
    await slow.next();
    for (let host = 20; host < 60; host++) {
      const id = `task-${host}`;
      await swarm.store.update((tx) => tx.create('task', taskRow(WEB, 'node-1', host, { id })));
      await swarm.times.advance(SOON_MS);
      await setState(swarm.store, id, 'failed');
    }
    await swarm.times.advance(SOON_MS);
    const next = slow.next();
    await swarm.times.advance(SOON_MS);
    const { value } = (await next) as { value: EndpointsUpdate };
    expect(names(value)).toEqual(['net-1/web']);
    expect(value.services[0]?.backends.map(({ taskId }) => taskId)).toEqual(['web-1']);
    stop.abort();
  });

  it('follows the networks that its node takes part in', async () => {
    const one = await swarm.balancer('node-1');
    await changeNode('node-1', (node) => ({
      ...node,
      attachments: [...node.attachments, attachment('net-2', 201)],
    }));
    expect(one.last?.networks.map(({ id }) => id)).toEqual(['net-2']);
    expect(names(one.last ?? { services: [] })).toEqual(['net-2/other']);
    await swarm.store.update((tx) => tx.create('task', taskRow(OTHER, 'node-2', 14, { id: 'other-2' })));
    await swarm.times.advance(SOON_MS);
    expect(one.states('net-2', 'other')).toEqual({ 'other-1': 'serving', 'other-2': 'serving' });
    await changeNode('node-1', (node) => ({ ...node, attachments: node.attachments.slice(0, 2) }));
    expect(one.last).toMatchObject({
      goneNetworks: ['net-2'],
      goneServices: [{ networkId: 'net-2', serviceId: 'other' }],
      services: [],
    });
    const heard = one.updates.length;
    await setState(swarm.store, 'other-2', 'failed');
    await swarm.times.advance(SOON_MS);
    expect(one.updates).toHaveLength(heard);
  });

  it('is its own address, the MTU and the name when they change', async () => {
    const one = await swarm.balancer('node-1');
    await changeNode('node-1', (node) => ({ ...node, attachments: [attachment('net-1', 77)] }));
    expect(one.last).toMatchObject({ goneNetworks: [INGRESS] });
    expect(one.last?.networks.map(({ address }) => address)).toEqual(['10.0.1.77/24']);
    const options = { 'com.docker.network.driver.mtu': '1400' };
    await swarm.store.update((tx) => {
      const network = tx.get('network', 'net-1');
      if (network) tx.update('network', { ...network, ...networkRow('net-1', options) });
    });
    await swarm.times.advance(SOON_MS);
    expect(one.last?.networks).toMatchObject([{ id: 'net-1', mtu: 1400 }]);
  });

  it.each([
    ['99999', 0],
    ['67', 0],
    ['-1', 0],
    ['1e3', 0],
    ['', 0],
    ['9000', 9000],
  ])('has an MTU only where the option is one: %j', async (text, mtu) => {
    const row = networkRow('net-7', { 'com.docker.network.driver.mtu': text });
    await swarm.store.update((tx) => {
      tx.create('network', row);
      tx.create('node', nodeRow('node-7', 207, ['net-7']));
    });
    const seven = await swarm.balancer('node-7');
    expect(seven.last?.networks).toMatchObject([{ id: 'net-7', mtu }]);
  });

  it('says of an encrypted network that it is one, whatever the value of the option', async () => {
    await swarm.store.update((tx) => {
      tx.create('network', networkRow('net-7', { encrypted: 'false' }));
      tx.create('node', nodeRow('node-7', 207, ['net-7']));
    });
    const seven = await swarm.balancer('node-7');
    expect(seven.last?.networks).toMatchObject([{ id: 'net-7', encrypted: true }]);
  });

  it('is told to its newest listener alone', async () => {
    const stop = new AbortController();
    const older = swarm.client('node-1').watch({}, { signal: stop.signal })[Symbol.asyncIterator]();
    await older.next();
    const ended = expect(older.next()).rejects.toThrow('another balancer of this node follows');
    await swarm.balancer('node-1');
    await ended;
    stop.abort();
  });

  it('is nothing but questions where the node does not balance, whatever happens to its networks', async () => {
    const one = await swarm.balancer('node-1', { mode: 'engine' }, 'questions');
    const nothing = { networks: [], goneNetworks: [], services: [], goneServices: [], questions: [] };
    expect(one.updates).toMatchObject([{ ...nothing, full: true }]);
    await swarm.store.update((tx) => tx.create('task', taskRow(WEB, 'node-2', 13, { id: 'web-2' })));
    await changeNode('node-1', (node) => ({ ...node, attachments: [attachment('net-2', 201)] }));
    const keeper = serviceRow('keeper', 9, {
      ...{ networks: [INGRESS], ports: [port(80, 80)] },
      labels: { 'skep.mesh.keep-client-address': 'true' },
    });
    await swarm.store.update((tx) => {
      tx.create('service', keeper);
      tx.create('task', taskRow(keeper, 'node-1', 14));
      tx.create('node', nodeRow('node-7', 207, [INGRESS]));
    });
    await swarm.times.advance(SOON_MS);
    expect(one.updates).toHaveLength(1);
    const asked = swarm.endpoints.ask('node-1', 'web', AbortSignal.timeout(10_000));
    await swarm.times.advance(SOON_MS);
    const [question] = one.last?.questions ?? [];
    expect(one.last).toMatchObject({ ...nothing, questions: [{ serviceId: 'web' }], full: false });
    await one.answer(question?.id ?? '', 'by the engine');
    expect(await asked).toMatchObject([{ text: 'by the engine' }]);
    // Nor is it waited for.
    expect(swarm.endpoints.reportOf('node-1')).toMatchObject({ mode: 'engine' });
  });

  it('is nothing but questions over the swarm’s port, too', async () => {
    const stop = new AbortController();
    const watch = swarm.client('node-1').watch({ questionsOnly: true }, { signal: stop.signal });
    const first = await watch[Symbol.asyncIterator]().next();
    expect(first.value).toMatchObject({ full: true, networks: [], services: [] });
    stop.abort();
  });

  it('goes on after a stop and a new start, in this process', async () => {
    const one = await swarm.balancer('node-1');
    const before = one.last?.version ?? 0;
    await swarm.times.advance(1_000);
    await swarm.restart();
    await swarm.store.update((tx) => tx.create('task', taskRow(WEB, 'node-2', 13, { id: 'web-2' })));
    await swarm.times.advance(10_000);
    expect(one.updates.filter(({ full }) => full)).toHaveLength(2);
    expect(one.last?.version).toBeGreaterThan(before);
    expect(one.states('net-1', 'web')).toEqual({ 'web-1': 'serving', 'web-2': 'serving' });
    expect(one.ended).toBe(false);
  });

  it('ends with its node', async () => {
    const stop = new AbortController();
    const stream = swarm.client('node-1').watch({}, { signal: stop.signal })[Symbol.asyncIterator]();
    await stream.next();
    const ended = expect(stream.next()).rejects.toThrow('the node was removed');
    await swarm.store.update((tx) => tx.remove('node', 'node-1'));
    await ended;
    stop.abort();
    expect(swarm.endpoints.reportOf('node-1')).toBeUndefined();
  });

  it('comes soon: within the time that a change is gathered', async () => {
    const mesh = serviceRow('mesh', 9, { networks: [INGRESS], ports: [port(80, 80)] });
    const both = [await swarm.balancer('node-1'), await swarm.balancer('node-2')];
    await swarm.times.advance(SOON_MS);
    await swarm.store.update((tx) => tx.create('service', mesh));
    await swarm.times.advance(5);
    expect(both.map((one) => one.on(INGRESS, 'mesh')?.ports.length)).toEqual([1, 1]);
  });
});
