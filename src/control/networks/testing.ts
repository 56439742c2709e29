import { SwarmError } from '../../base/errors.ts';
import { initialNetworks } from '../../allocator/index.ts';
import type { ServiceSpec, Task } from '../../model/index.ts';
import type { EnginePort } from '../context.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';

/** Networks that an engine has of its own, and one that was made at it. */
export const BRIDGE = {
  Name: 'bridge',
  Id: 'b'.repeat(64),
  Scope: 'local',
  Driver: 'bridge',
  Containers: {},
};
export const HOST = { Name: 'host', Id: 'c'.repeat(64), Scope: 'local', Driver: 'host', Containers: {} };
export const MINE = { Name: 'mine', Id: 'd'.repeat(64), Scope: 'local', Driver: 'bridge', Containers: {} };

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** An engine with these networks, which remembers what it was asked. */
export function engineWith(
  ...networks: { readonly Name: string; readonly Id: string }[]
): EnginePort & { asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    asked,
    json(method, path, body) {
      asked.push({ method, path, body });
      const noun = path.split('?')[0];
      if (method === 'GET' && noun === '/networks') return Promise.resolve({ status: 200, value: networks });
      const found = networks.find(({ Id, Name }) => [Id, Name].some((one) => noun === `/networks/${one}`));
      if (method === 'GET' && found)
        return Promise.resolve({ status: 200, value: { ...found, Whole: true } });
      if (method === 'DELETE' && found) return Promise.resolve({ status: 204, value: undefined });
      if (path === '/networks/create')
        return Promise.resolve({ status: 201, value: { Id: 'made', Warning: '' } });
      if (noun === '/networks/prune')
        return Promise.resolve({ status: 200, value: { NetworksDeleted: ['mine'] } });
      return Promise.resolve({ status: 404, value: { message: 'not here' } });
    },
  };
}

/** An engine that does not answer. */
export const DOWN: EnginePort = {
  json: () => Promise.reject(new SwarmError('unavailable', 'the engine does not answer')),
};

/** The API of a swarm with its first networks, in front of this engine. */
export async function api(engine: EnginePort = engineWith(BRIDGE, HOST, MINE)): Promise<ControlApi> {
  const started = await startControlApi({ engine });
  await started.store.update((tx) => {
    for (const network of initialNetworks()) tx.create('network', network);
  });
  return started;
}

/** The body that creates an overlay network. */
export const overlay = (more: object = {}): object => ({ Name: 'web', Driver: 'overlay', ...more });

/** A service on these networks. */
export function serviceOn(id: string, networks: readonly string[], endpoint?: ServiceSpec['endpoint']) {
  return {
    id,
    specVersion: 1,
    spec: {
      annotations: { name: id, labels: {} },
      task: {
        networks: networks.map((target) => ({ target, aliases: [], driverOptions: {}, addresses: [] })),
        forceUpdate: 0,
      },
      mode: { kind: 'replicated' as const, replicas: 1 },
      ...(endpoint ? { endpoint } : {}),
    },
  };
}

/** A task of the service `user` that runs. */
export const TASK: Partial<Task> = {
  id: 't',
  serviceId: 'user',
  slot: 1,
  nodeId: '',
  annotations: { name: '', labels: {} },
  serviceAnnotations: { name: 'user', labels: {} },
  specVersion: 1,
  status: {
    state: 'running',
    timestampMs: 0,
    message: '',
    err: '',
    ports: [],
    appliedBy: '',
    appliedAtMs: 0,
  },
  networks: [],
  assignedGenericResources: [],
};
