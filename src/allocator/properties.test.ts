import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overlaps, parseCidr, type Cidr } from '../base/cidr.ts';
import { attachmentsCover, hasEnded } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { virtualIpsOf } from './endpoint.ts';
import { readVxlanIds, VXLAN_OPTION } from './vxlan-ids.ts';
import {
  allocatorBench,
  changeTask,
  networkRow,
  nodeRow,
  port,
  serviceRow,
  subnetRow,
  taskRow,
  type Bench,
} from './testing.ts';

/** A pool of four subnets of five addresses each: things run out all the time. */
const POOL = ['10.0.0.0/27', 29] as const;

type Step =
  | { readonly do: 'network' | 'remove-network'; readonly n: number; readonly own: boolean }
  | {
      readonly do: 'service';
      readonly n: number;
      readonly on: readonly number[];
      readonly mode: 'vip' | 'dnsrr';
      readonly ports: readonly number[];
    }
  | {
      readonly do: 'remove-service' | 'task' | 'end-task' | 'remove-task' | 'node' | 'remove-node';
      readonly n: number;
    }
  | { readonly do: 'assign'; readonly n: number; readonly to: number }
  | { readonly do: 'restart' };

const n = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('network' as const, 'remove-network' as const), n, own: fc.boolean() }),
  fc.record({
    do: fc.constant('service' as const),
    n,
    on: fc.uniqueArray(n, { maxLength: 3 }),
    mode: fc.constantFrom('vip' as const, 'dnsrr' as const),
    ports: fc.array(fc.constantFrom(0, 80, 30_000), { maxLength: 2 }),
  }),
  fc.record({ do: fc.constantFrom('remove-service' as const, 'node' as const, 'remove-node' as const), n }),
  fc.record({
    do: fc.constantFrom('task' as const, 'end-task' as const, 'remove-task' as const),
    n: fc.nat(20),
  }),
  fc.record({ do: fc.constant('assign' as const), n: fc.nat(20), to: n }),
  fc.record({ do: fc.constant('restart' as const) }),
);

/** How often each network was removed: like every id, a network's is never given to another one after it. */
class Removals {
  readonly #counts = new Map<number, number>();

  id(at: number): string {
    return `net${at}.${this.#counts.get(at) ?? 0}`;
  }

  add(at: number): void {
    this.#counts.set(at, (this.#counts.get(at) ?? 0) + 1);
  }
}

async function act(bench: Bench, removals: Removals, what: Step): Promise<void> {
  const { store } = bench;
  switch (what.do) {
    case 'network': {
      const id = removals.id(what.n);
      if (store.view.get('network', id)) return;
      const row = what.own ? subnetRow(id, `10.0.0.${what.n * 4}/30`) : networkRow(id);
      const ingress = what.n === 0 ? { ...row, spec: { ...row.spec, ingress: true } } : row;
      await store.update((tx) => tx.create('network', ingress));
      return;
    }
    case 'service': {
      const id = `s${what.n}`;
      const ports = what.ports.map((published, i) => port(published, { targetPort: i }));
      const networks = what.on.filter((at) => at > 0).map((at) => removals.id(at));
      const endpoint = what.mode === 'vip' ? { mode: what.mode, ports } : { mode: what.mode, ports: [] };
      const row = serviceRow(id, networks, endpoint);
      await store.update((tx) => {
        const before = tx.get('service', id);
        if (before) tx.update('service', { ...before, spec: row.spec });
        else tx.create('service', row);
      });
      return;
    }
    case 'task': {
      const service = store.view.get('service', `s${what.n % 5}`);
      const id = `t${what.n}`;
      if (service && !store.view.get('task', id))
        await store.update((tx) => tx.create('task', taskRow(service, id)));
      return;
    }
    case 'assign': {
      const task = store.view.get('task', `t${what.n}`);
      if (task?.status.state === 'pending' && store.view.get('node', `node${what.to}`))
        await changeTask(store, task.id, 'assigned', { nodeId: `node${what.to}` });
      return;
    }
    case 'end-task':
      await changeTask(store, `t${what.n}`, 'failed');
      return;
    case 'node':
      if (!store.view.get('node', `node${what.n}`))
        await store.update((tx) => tx.create('node', nodeRow(`node${what.n}`)));
      return;
    case 'remove-network':
      await store.update((tx) => tx.remove('network', removals.id(what.n)));
      removals.add(what.n);
      return;
    case 'remove-service':
      await store.update((tx) => tx.remove('service', `s${what.n}`));
      return;
    case 'remove-task':
      await store.update((tx) => tx.remove('task', `t${what.n}`));
      return;
    case 'remove-node':
      await store.update((tx) => tx.remove('node', `node${what.n}`));
      return;
    case 'restart':
      bench.restart();
  }
}

/** Every address that somebody has, with its network. */
function taken({ view }: Store): string[] {
  const of = (list: readonly { networkId: string; addresses: readonly string[] }[]): string[] =>
    list.flatMap(({ networkId, addresses }) => addresses.map((address) => `${networkId} ${address}`));
  return [
    ...[...view.all('network')].flatMap(({ id, allocated }) =>
      (allocated?.ipam.configs ?? []).map(
        ({ gateway, subnet }) => `${id} ${gateway}/${subnet.split('/')[1]}`,
      ),
    ),
    ...[...view.all('service')].flatMap(({ endpoint }) =>
      virtualIpsOf(endpoint).map(({ networkId, addr }) => `${networkId} ${addr}`),
    ),
    ...[...view.all('task')].flatMap((task) => (hasEnded(task.status.state) ? [] : of(task.networks))),
    ...[...view.all('node')].flatMap(({ attachments }) => of(attachments)),
  ];
}

function blocks({ view }: Store): Cidr[] {
  return [...view.all('network')].flatMap(({ allocated }) =>
    (allocated?.ipam.configs ?? []).flatMap(({ subnet }) => parseCidr(subnet)?.block ?? []),
  );
}

function check(store: Store): void {
  const addresses = taken(store);
  expect(new Set(addresses).size).toBe(addresses.length);
  const all = blocks(store);
  for (const [i, one] of all.entries())
    for (const other of all.slice(i + 1)) expect(overlaps(one, other)).toBe(false);
  const networks = [...store.view.all('network')];
  const ids = networks.flatMap(
    ({ allocated }) => readVxlanIds(allocated?.driver.options[VXLAN_OPTION] ?? '') ?? [],
  );
  expect(new Set(ids).size).toBe(ids.length);
  const ports = [...store.view.all('service')].flatMap(({ id, endpoint }) => [
    ...new Set(endpoint?.ports.map(({ publishedPort }) => `${publishedPort} ${id}`)),
  ]);
  expect(new Set(ports.map((text) => text.split(' ')[0])).size).toBe(ports.length);
  const telling = tellings(store);
  expect(new Set(telling.map(([place]) => place)).size).toBe(telling.length);
}

/** What engines are told of a service's name, once for each id and network: it has to be one thing. */
function tellings({ view }: Store): [place: string, address: string][] {
  const all = [...view.all('task')]
    .filter(({ status }) => !hasEnded(status.state))
    .flatMap(({ serviceId, engineServiceId, networks, endpoint }) =>
      networks.map(({ networkId }): [string, string] => [
        `${engineServiceId ?? serviceId} ${networkId}`,
        endpoint?.virtualIps.find((vip) => vip.networkId === networkId)?.addr ?? '',
      ]),
    );
  return [...new Map(all.map((one) => [one.join(' '), one])).values()];
}

/** What is free on each network, by a book that was made anew and by the one that was there. */
function free({ run: { state }, store }: Bench): (number | undefined)[] {
  return [...store.view.all('network')].map(({ id }) => state.book.network(id)?.room.free);
}

describe('the allocator, whatever is done', () => {
  it('gives nothing twice, gives all back, and is the same after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 25 }), async (rounds) => {
        const bench = await allocatorBench(...POOL);
        const { store } = bench;
        const removals = new Removals();
        for (const steps of rounds) {
          for (const one of steps) await act(bench, removals, one);
          await bench.settle();
          check(store);
        }
        const kept = free(bench);
        const before = taken(store);
        bench.restart();
        await bench.settle();
        expect(taken(store)).toEqual(before);
        expect(free(bench)).toEqual(kept);
        await store.update((tx) => {
          for (const kind of ['task', 'service', 'node', 'network'] as const)
            for (const { id } of [...tx.all(kind)]) tx.remove(kind, id);
        });
        await bench.settle();
        await expectEmpty(bench);
      }),
      { numRuns: 150 },
    );
  });

  it('covers every task that is assigned where addresses last', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 15 }), async (rounds) => {
        const bench = await allocatorBench();
        const { store, settle } = bench;
        const removals = new Removals();
        const isThere = (id: string): boolean => store.view.get('network', id) !== undefined;
        for (const steps of rounds) {
          for (const one of steps) if (one.do !== 'network' || !one.own) await act(bench, removals, one);
          await settle();
          for (const task of store.view.all('task')) {
            const node = store.view.get('node', task.nodeId);
            const networks = task.networks.filter(({ networkId }) => isThere(networkId));
            if (node) expect(attachmentsCover(node, { networks })).toBe(true);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

/** The whole pool can be given out again. */
async function expectEmpty(bench: Bench): Promise<void> {
  const { store, settle } = bench;
  const service = serviceRow('last', ['n0', 'n1', 'n2', 'n3'], { mode: 'dnsrr', ports: [] });
  await store.update((tx) => {
    for (let i = 0; i < 4; i++) tx.create('network', networkRow(`n${i}`));
    tx.create('service', service);
    for (let i = 0; i < 5; i++) tx.create('task', taskRow(service, `last${i}`));
  });
  await settle();
  expect(taken(store)).toHaveLength(4 + 4 * 5);
}
