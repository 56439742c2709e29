import { newId } from '../../base/ids.ts';
import type { ServiceSpec } from '../../model/index.ts';
import type { Tx } from '../../store/index.ts';
import type { Handler } from '../context.ts';
import { checkPublishedPorts } from '../networks/published-ports.ts';
import { rpcError } from '../rpc-error.ts';
import { checkExistence } from '../validate/references.ts';
import { checkServiceSpec, isJob } from '../validate/service.ts';
import { meshWarnings } from './mesh-warnings.ts';
import { randomName } from './random-name.ts';
import { readSpec, registryAuthOf, withNetworkIds, withRegistryAuth } from './read-spec.ts';

/** `POST /services/create` */
export const createService: Handler = async (call, context) => {
  const { store } = context;
  const given = await withNetworkIds(context, await readSpec(call));
  const spec = named(withRegistryAuth(given, registryAuthOf(call)), (name) =>
    Boolean(store.view.byName('service', name)),
  );
  checkServiceSpec(spec);
  const nowMs = context.times.wallMs();
  // Before engines begin to listen on its ports themselves.
  const warnings = await meshWarnings(store.view, context.mesh, spec);
  const id = await store.update((tx) => insert(tx, spec, nowMs));
  call.json(201, { ID: id, Warnings: warnings.length > 0 ? warnings : null });
};

function named(spec: ServiceSpec, isTaken: (name: string) => boolean): ServiceSpec {
  const { annotations } = spec;
  if (annotations.name !== '') return spec;
  return { ...spec, annotations: { ...annotations, name: randomName(isTaken) } };
}

function insert(tx: Tx, spec: ServiceSpec, nowMs: number): string {
  const { name } = spec.annotations;
  checkPublishedPorts(tx, spec);
  checkExistence(tx, spec.task);
  if (tx.byName('service', name)) {
    throw rpcError('AlreadyExists', `name conflicts with an existing object: service ${name} already exists`);
  }
  const { id } = tx.create('service', {
    id: newId(),
    spec,
    specVersion: tx.nextVersion,
    ...(isJob(spec) ? { job: { iteration: 0, lastExecutionMs: nowMs } } : {}),
  });
  return id;
}
