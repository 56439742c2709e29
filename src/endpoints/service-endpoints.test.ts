import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  attachment,
  changeTask,
  INGRESS,
  nodeRow,
  port,
  serviceRow,
  setState,
  taskRow,
  tellToStop,
} from '../../test/endpoints/rows.ts';
import { startInProcess, type Balancer, type InProcess } from '../../test/endpoints/in-process.ts';
import { MESH_CLIENT_LABEL, type Task } from '../model/index.ts';

let swarm: InProcess;
let one: Balancer;

const WEB = serviceRow('web', 2, { networks: [INGRESS, 'net-1'], ports: [port(8080, 80)] });
const SOON_MS = 50;

beforeEach(async () => {
  swarm = await startInProcess();
  await swarm.store.update((tx) => tx.create('service', WEB));
  one = await swarm.balancer('node-1');
  await swarm.times.advance(SOON_MS);
});
afterEach(() => swarm.stop());

async function add(nodeId: string, host: number, more: Partial<Task> = {}): Promise<string> {
  const row = taskRow(WEB, nodeId, host, more);
  await swarm.store.update((tx) => tx.create('task', row));
  await swarm.times.advance(SOON_MS);
  return row.id;
}

const states = (): Record<string, string> => one.states('net-1', 'web');

describe('who answers for a service', () => {
  it('is known by its addresses and ports, on each of its networks', async () => {
    const id = await add('node-2', 11);
    const backend = {
      taskId: id,
      nodeId: 'node-2',
      nodeAddress: '192.168.150.9',
      state: 'serving',
      keepsClients: false,
    };
    const common = { serviceId: 'web', name: 'web', keepClients: false };
    expect(one.on('net-1', 'web')).toEqual({
      ...common,
      networkId: 'net-1',
      virtualIp: '10.0.1.2',
      ports: [],
      backends: [{ ...backend, address: '10.0.1.11' }],
    });
    expect(one.on(INGRESS, 'web')).toEqual({
      ...common,
      networkId: INGRESS,
      virtualIp: '10.0.0.2',
      ports: [{ protocol: 'tcp', published: 8080, target: 80 }],
      backends: [{ ...backend, address: '10.0.0.11' }],
    });
  });

  it('is a service without tasks, too: it refuses', () => {
    expect(one.on('net-1', 'web')?.backends).toEqual([]);
  });

  it.each([
    'assigned',
    'preparing',
    'ready',
    'starting',
    'complete',
    'shutdown',
    'failed',
    'orphaned',
  ] as const)('is no task that is %s', async (state) => {
    const id = await add('node-2', 11);
    expect(states()).toEqual({ [id]: 'serving' });
    await setState(swarm.store, id, state);
    await swarm.times.advance(SOON_MS);
    expect(states()).toEqual({});
  });

  it.each(['shutdown', 'remove'] as const)(
    'is no task that is wished %s; it stays until it ends',
    async (wish) => {
      const id = await add('node-2', 11);
      await tellToStop(swarm.store, id, wish);
      await swarm.times.advance(SOON_MS);
      expect(states()).toEqual({ [id]: 'leaving' });
      await setState(swarm.store, id, 'shutdown');
      await swarm.times.advance(SOON_MS);
      expect(states()).toEqual({});
    },
  );

  it('is no task of a node that is down, and again when it is back', async () => {
    const id = await add('node-2', 11);
    const here = await add('node-1', 12);
    const set = async (state: 'down' | 'ready'): Promise<void> => {
      await swarm.store.update((tx) => {
        const node = tx.get('node', 'node-2');
        if (node) tx.update('node', { ...node, status: { ...node.status, state } });
      });
      await swarm.times.advance(SOON_MS);
    };
    await set('down');
    expect(states()).toEqual({ [here]: 'serving' });
    await set('ready');
    expect(states()).toEqual({ [id]: 'serving', [here]: 'serving' });
  });

  it('is told with where its node is seen, anew when that changes', async () => {
    await add('node-2', 11);
    await swarm.store.update((tx) => {
      const node = tx.get('node', 'node-2');
      if (node) tx.update('node', { ...node, status: { ...node.status, addr: '192.0.2.22' } });
    });
    await swarm.times.advance(SOON_MS);
    expect(one.on('net-1', 'web')?.backends.map(({ nodeAddress }) => nodeAddress)).toEqual(['192.0.2.22']);
  });

  it('is no task whose row or node is gone', async () => {
    const id = await add('node-2', 11);
    const other = await add('node-1', 12);
    await swarm.store.update((tx) => tx.remove('node', 'node-2'));
    await swarm.times.advance(SOON_MS);
    expect(states()).toEqual({ [other]: 'serving' });
    await swarm.store.update((tx) => tx.remove('task', other));
    await swarm.times.advance(SOON_MS);
    expect(states()).toEqual({});
    await swarm.store.update((tx) => tx.remove('task', id));
    await swarm.times.advance(SOON_MS);
    expect(states()).toEqual({});
  });

  it('is no task of a job, and no place on a network without a service', async () => {
    await add('node-2', 11, { jobIteration: 0 });
    await add('node-2', 12, { serviceId: '' });
    expect(states()).toEqual({});
  });

  it('is no task that was made for another target of a port, from the first on that was made for the new one', async () => {
    const old = await add('node-2', 11);
    const ports = [port(8080, 81), port(9090, 90)];
    await swarm.store.update((tx) => {
      const service = tx.get('service', 'web');
      if (service?.endpoint) tx.update('service', { ...service, endpoint: { ...service.endpoint, ports } });
    });
    await swarm.times.advance(SOON_MS);
    const targets = (): Record<number, number> =>
      Object.fromEntries((one.on(INGRESS, 'web')?.ports ?? []).map((one) => [one.published, one.target]));
    expect(one.states(INGRESS, 'web')).toEqual({ [old]: 'serving' });
    expect(targets()).toEqual({ 8080: 80, 9090: 90 });
    const { endpoint } = WEB;
    const fresh = await add('node-1', 12, endpoint ? { endpoint: { ...endpoint, ports } } : {});
    expect(one.states(INGRESS, 'web')).toEqual({ [old]: 'leaving', [fresh]: 'serving' });
    expect(targets()).toEqual({ 8080: 81, 9090: 90 });
    expect(states()).toEqual({ [old]: 'serving', [fresh]: 'serving' });
    // None is left that was made for the new one.
    await tellToStop(swarm.store, fresh);
    await swarm.times.advance(SOON_MS);
    expect(one.states(INGRESS, 'web')).toEqual({ [old]: 'serving', [fresh]: 'leaving' });
    expect(targets()).toEqual({ 8080: 80, 9090: 90 });
  });

  it('has IPv4 where a network has both', async () => {
    const networks = [{ ...attachment('net-1', 11), addresses: ['fd00::11/64', '10.0.1.11/24'] }];
    await add('node-2', 11, { networks });
    expect(one.on('net-1', 'web')?.backends.map(({ address }) => address)).toEqual(['10.0.1.11']);
    expect(one.states(INGRESS, 'web')).toEqual({});
  });

  it('publishes nothing in host mode', async () => {
    const ports = [
      port(5353, 53, { publishMode: 'host', protocol: 'udp' }),
      port(53, 53, { protocol: 'udp' }),
    ];
    await swarm.store.update((tx) =>
      tx.create('service', serviceRow('dns', 3, { networks: [INGRESS], ports })),
    );
    await swarm.times.advance(SOON_MS);
    expect(one.on(INGRESS, 'dns')?.ports).toEqual([{ protocol: 'udp', published: 53, target: 53 }]);
  });
});

describe('a virtual IP that a service is to lose', () => {
  const lose = async (...networks: string[]): Promise<void> => {
    await swarm.store.update((tx) => {
      const service = tx.get('service', 'web');
      if (!service?.endpoint) throw new Error('no endpoint');
      const { virtualIps, ...rest } = service.endpoint;
      const isLeft = ({ networkId }: { readonly networkId: string }): boolean => networks.includes(networkId);
      const endpoint = { ...rest, ports: [], virtualIps: virtualIps.filter((one) => !isLeft(one)) };
      tx.update('service', {
        ...service,
        endpoint: { ...endpoint, leavingIps: virtualIps.filter(isLeft) },
      });
    });
    await swarm.times.advance(SOON_MS);
  };

  it('is answered by its tasks there, whatever they were told', async () => {
    const old = await add('node-2', 11);
    await lose('net-1');
    const fresh = await add('node-1', 12, {
      endpoint: { spec: { mode: 'dnsrr', ports: [] }, ports: [], virtualIps: [] },
    });
    expect(one.on('net-1', 'web')?.virtualIp).toBe('10.0.1.2');
    expect(states()).toEqual({ [old]: 'serving', [fresh]: 'serving' });
    await tellToStop(swarm.store, old);
    await swarm.times.advance(SOON_MS);
    expect(states()).toEqual({ [old]: 'leaving', [fresh]: 'serving' });
  });

  it('keeps the open connections of the mesh, and gets no new ones', async () => {
    const id = await add('node-2', 11);
    await lose(INGRESS);
    expect(one.on(INGRESS, 'web')?.ports).toEqual([]);
    expect(one.states(INGRESS, 'web')).toEqual({ [id]: 'leaving' });
    expect(states()).toEqual({ [id]: 'serving' });
  });

  it('stays while its tasks end when the service is removed', async () => {
    const id = await add('node-2', 11);
    await lose('net-1', INGRESS);
    const { endpoint } = swarm.store.view.get('service', 'web') ?? {};
    await changeTask(swarm.store, id, (task) => ({ ...task, ...(endpoint ? { endpoint } : {}) }));
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    await swarm.times.advance(SOON_MS);
    expect(one.on('net-1', 'web')?.virtualIp).toBe('10.0.1.2');
    expect(states()).toEqual({ [id]: 'leaving' });
  });
});

describe('a service that is removed', () => {
  it('goes at once where nothing runs', async () => {
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    await swarm.times.advance(SOON_MS);
    expect([...one.services.keys()]).toEqual([]);
    expect(one.last?.goneServices).toHaveLength(2);
  });

  it('keeps its address, without ports, as long as its tasks have open connections', async () => {
    const id = await add('node-2', 11);
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    await swarm.times.advance(SOON_MS);
    expect(one.on('net-1', 'web')).toMatchObject({ name: 'web', virtualIp: '10.0.1.2' });
    expect(one.states('net-1', 'web')).toEqual({ [id]: 'leaving' });
    expect(one.on(INGRESS, 'web')?.ports).toEqual([]);
    await setState(swarm.store, id, 'shutdown');
    await swarm.times.advance(SOON_MS);
    expect([...one.services.keys()]).toEqual([]);
  });

  it('loses its address to the next that gets it', async () => {
    await add('node-2', 11);
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    await swarm.times.advance(SOON_MS);
    await swarm.store.update((tx) => tx.create('service', serviceRow('next', 2, { networks: ['net-1'] })));
    await swarm.times.advance(SOON_MS);
    expect(one.on('net-1', 'next')?.virtualIp).toBe('10.0.1.2');
    expect(one.on('net-1', 'web')?.virtualIp).toBe('');
  });
});

describe("the client's address", () => {
  const KEEPING = serviceRow('keeping', 5, {
    networks: [INGRESS],
    ports: [port(80, 80)],
    labels: { [MESH_CLIENT_LABEL]: 'true' },
  });

  it('is kept for tasks whose node has said so, and entries are told to nodes that have such tasks', async () => {
    const two = await swarm.balancer('node-2');
    const row = taskRow(KEEPING, 'node-2', 15);
    await swarm.store.update((tx) => {
      tx.create('service', KEEPING);
      tx.create('task', row);
    });
    await swarm.times.advance(SOON_MS);
    expect(one.on(INGRESS, 'keeping')).toMatchObject({
      keepClients: true,
      backends: [{ keepsClients: false }],
    });
    const entriesOf = (balancer: Balancer) =>
      balancer.updates.flatMap(({ networks }) => networks.filter(({ ingress }) => ingress)).at(-1)?.entries;
    expect(entriesOf(one)).toEqual([]);
    expect(entriesOf(two)).toEqual([
      { nodeId: 'node-1', address: '10.0.0.201' },
      { nodeId: 'node-2', address: '10.0.0.202' },
    ]);

    await one.say({ keepsClients: [row.id] });
    await swarm.times.advance(SOON_MS);
    expect(one.on(INGRESS, 'keeping')?.backends[0]?.keepsClients).toBe(false);
    await two.say({ keepsClients: [row.id, '__proto__', 'nonesuch'] });
    await swarm.times.advance(SOON_MS);
    expect(one.on(INGRESS, 'keeping')?.backends[0]?.keepsClients).toBe(true);

    await swarm.store.update((tx) => tx.create('node', nodeRow('node-3', 203, [INGRESS])));
    await swarm.times.advance(SOON_MS);
    expect(entriesOf(two)).toHaveLength(3);
    await swarm.store.update((tx) => tx.remove('node', 'node-3'));
    await changeTask(swarm.store, row.id, (task) => ({ ...task, desiredState: 'shutdown' }));
    await swarm.times.advance(SOON_MS);
    expect(entriesOf(two)).toHaveLength(2);
    await swarm.store.update((tx) => tx.remove('task', row.id));
    await swarm.times.advance(SOON_MS);
    expect(entriesOf(two)).toEqual([]);
  });
});
