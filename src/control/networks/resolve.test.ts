import { expect, it } from 'vitest';
import { initialNetworks } from '../../allocator/index.ts';
import type { NetworkAttachmentConfig } from '../../model/index.ts';
import { memoryBackend, openStore } from '../../store/index.ts';
import type { EnginePort } from '../context.ts';
import { resolveNetworkTargets } from './resolve.ts';

const LOCAL: Readonly<Record<string, object>> = {
  mine: { Name: 'mine', Scope: 'local' },
  abcdef: { Name: 'host', Scope: 'local' },
  stale: { Name: 'stale', Scope: 'swarm' },
};

async function resolve(engine: EnginePort, ...targets: string[]): Promise<string[]> {
  const store = await openStore(memoryBackend(), { nowMs: () => 0, onFault: () => undefined });
  await store.update((tx) => {
    for (const network of initialNetworks())
      tx.create('network', { ...network, id: network.spec.annotations.name });
    const [{ spec }] = initialNetworks() as [ReturnType<typeof initialNetworks>[0]];
    tx.create('network', {
      id: 'w1',
      spec: { ...spec, ingress: false, annotations: { name: 'web', labels: {} } },
    });
  });
  const wishes = targets.map((target): NetworkAttachmentConfig => ({
    target,
    aliases: ['a'],
    driverOptions: {},
    addresses: [],
  }));
  const resolved = await resolveNetworkTargets({ store, engine }, wishes);
  expect(resolved.every(({ aliases }) => aliases[0] === 'a')).toBe(true);
  return resolved.map(({ target }) => target);
}

const engine: EnginePort = {
  json: (_method, path) => {
    const found = LOCAL[path.slice('/networks/'.length)];
    return Promise.resolve(found ? { status: 200, value: found } : { status: 404, value: {} });
  },
};

it('finds the swarm’s networks by name, id and the beginning of one, and those of every engine', async () => {
  expect(await resolve(engine, 'web', 'w1', 'w', 'host', 'none', 'abcdef')).toEqual([
    'w1',
    'w1',
    'w1',
    'host',
    'none',
    'host',
  ]);
});

it.each<[string, string, string]>([
  ['nobody', 'not-found', 'network nobody not found'],
  ['', 'not-found', 'network  not found'],
  ['stale', 'not-found', 'network stale not found'],
  [
    'mine',
    'forbidden',
    'The network mine cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.',
  ],
  [
    'ingress',
    'invalid',
    'rpc error: code = InvalidArgument desc = Service cannot be explicitly attached to the ingress network "ingress"',
  ],
])('refuses %j', async (target, code, message) => {
  await expect(resolve(engine, target)).rejects.toMatchObject({ code, message });
});

it('knows no other network while the engine is down', async () => {
  const down: EnginePort = { json: () => Promise.reject(new Error('down')) };
  expect(await resolve(down, 'web', 'host')).toEqual(['w1', 'host']);
  await expect(resolve(down, 'mine')).rejects.toMatchObject({ code: 'not-found' });
});
