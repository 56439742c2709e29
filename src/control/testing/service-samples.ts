import { expect } from 'vitest';
import type { Service, Task } from '../../model/index.ts';
import type { Fresh, Store } from '../../store/index.ts';
import type { ControlApi } from './control-api.ts';

export const SPEC = {
  Name: 'web',
  TaskTemplate: { ContainerSpec: { Image: 'nginx' } },
  Mode: { Replicated: { Replicas: 2 } },
};

export async function create(api: ControlApi, spec: object = SPEC): Promise<string> {
  const answer = await api.call('POST', '/services/create', spec);
  expect(answer.message).toBe('');
  expect(answer.status).toBe(201);
  return (answer.value as { ID: string }).ID;
}

export function serviceOf(store: Store, name = 'web'): Service {
  const service = store.view.byName('service', name);
  if (!service) throw new Error(`no service ${name}`);
  return service;
}

export function taskOf(service: Service, id: string, parts: Partial<Task>): Fresh<'task'> {
  return {
    id,
    serviceId: service.id,
    slot: 1,
    nodeId: '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: service.spec.annotations,
    spec: service.spec.task,
    specVersion: service.specVersion,
    status: {
      state: 'running',
      timestampMs: 0,
      message: '',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: 0,
    },
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
    ...parts,
  };
}

export async function putNetworks(store: Store): Promise<void> {
  await store.update((tx) => {
    for (const [id, name, ingress] of [
      ['n0', 'ingress', true],
      ['n1', 'back', false],
    ] as const) {
      tx.create('network', {
        id,
        spec: {
          annotations: { name, labels: {} },
          ipv6: false,
          internal: false,
          attachable: false,
          ingress,
          configOnly: false,
          nodeLocal: false,
        },
      });
    }
  });
}

export async function putSecret(store: Store): Promise<void> {
  await store.update((tx) =>
    tx.create('secret', {
      id: 's1',
      spec: { annotations: { name: 'key', labels: {} }, data: Buffer.from('x') },
    }),
  );
}

export const withSecret = (SecretID: string, SecretName: string): object => ({
  ...SPEC,
  TaskTemplate: {
    ContainerSpec: {
      Image: 'nginx',
      Secrets: [{ SecretID, SecretName, File: { Name: 'f', UID: '0', GID: '0', Mode: 292 } }],
    },
  },
});

export const published = (Name: string, port: object): object => ({
  ...SPEC,
  Name,
  EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 80, ...port }] },
});
