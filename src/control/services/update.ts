import { SwarmError } from '../../base/errors.ts';
import { sameValue } from '../../base/same-value.ts';
import type { ApiCall } from '../../docker-api/index.ts';
import type { Service, ServiceSpec } from '../../model/index.ts';
import type { Tx } from '../../store/index.ts';
import type { Handler } from '../context.ts';
import { findOne } from '../find.ts';
import { checkPublishedPorts } from '../networks/published-ports.ts';
import { queryVersion } from '../query.ts';
import { outOfSequence, rpcError } from '../rpc-error.ts';
import { checkExistence } from '../validate/references.ts';
import { checkServiceSpec } from '../validate/service.ts';
import { meshWarnings } from './mesh-warnings.ts';
import { readSpec, registryAuthOf, withNetworkIds, withRegistryAuth } from './read-spec.ts';

/** What an update asks for. */
interface Change {
  readonly id: string;
  readonly version: number;
  readonly spec: ServiceSpec;
  readonly rollback: boolean;
  readonly nowMs: number;
}

/** `POST /services/{id}/update` */
export const updateService: Handler = async (call, context) => {
  const { store, times } = context;
  const body = await readSpec(call);
  const version = queryVersion(call.query, 'service');
  const authFrom = readAuthFrom(call.query);
  const rollback = readRollback(call.query);
  const given = await withNetworkIds(context, body);
  const service = findOne(store.view, 'service', call.param('id'));
  const spec = withRegistryAuth(given, registryAuth(call, service, authFrom));
  checkServiceSpec(spec);
  const change = { id: service.id, version, spec, rollback, nowMs: times.wallMs() };
  // Before engines begin to listen on its ports themselves.
  const next = rollback ? (service.previousSpec ?? spec) : spec;
  const warnings = await meshWarnings(store.view, context.mesh, next, service.spec);
  await store.update((tx) => apply(tx, change));
  call.json(200, { Warnings: warnings.length > 0 ? warnings : null });
};

type AuthFrom = 'spec' | 'previous-spec';

function readAuthFrom(query: URLSearchParams): AuthFrom {
  const given = query.get('registryAuthFrom') ?? '';
  if (given === '' || given === 'spec') return 'spec';
  if (given === 'previous-spec') return given;
  throw new SwarmError('invalid', `invalid registryAuthFrom '${given}'`);
}

function readRollback(query: URLSearchParams): boolean {
  const given = query.get('rollback') ?? '';
  if (given === 'previous') return true;
  if (given === '' || given === 'none') return false;
  throw new SwarmError('invalid', `unrecognized rollback option ${given}`);
}

/** Credentials that are not sent again stay. */
function registryAuth(call: ApiCall, { spec, previousSpec }: Service, from: AuthFrom): string {
  const sent = registryAuthOf(call);
  if (sent !== '') return sent;
  if (from === 'spec') return spec.task.container?.registryAuth ?? '';
  if (!previousSpec) throw new SwarmError('invalid', 'service does not have a previous spec');
  return previousSpec.task.container?.registryAuth ?? '';
}

/** SwarmKit's rules for an update; what a rollback brings back is looked at as well. */
function apply(tx: Tx, change: Change): void {
  const { id, spec } = change;
  const service = tx.get('service', id);
  if (!service) throw rpcError('NotFound', `service ${id} not found`);
  if (service.spec.mode.kind !== spec.mode.kind) {
    throw rpcError('Unimplemented', 'service mode change is not allowed');
  }
  if (service.spec.annotations.name !== spec.annotations.name) {
    throw rpcError('Unimplemented', 'renaming services is not supported');
  }
  const changed = change.rollback ? rolledBack(service, change) : replaced(tx, service, spec);
  const { endpoint } = changed.spec;
  if (endpoint && !sameValue(endpoint, service.spec.endpoint)) checkPublishedPorts(tx, changed.spec, id);
  checkExistence(tx, changed.spec.task);
  if (service.meta.version !== change.version) throw outOfSequence();
  tx.update('service', { ...changed, ...nextRun(service, change.nowMs) });
}

function replaced(tx: Tx, service: Service, spec: ServiceSpec): Service {
  return {
    ...service,
    previousSpec: service.spec,
    previousSpecVersion: service.specVersion,
    spec,
    specVersion: tx.nextVersion,
    updateStatus: undefined,
  };
}

function rolledBack(service: Service, { nowMs }: Change): Service {
  const { id, spec, specVersion, previousSpec, previousSpecVersion } = service;
  if (!previousSpec) {
    throw rpcError('FailedPrecondition', `service ${id} does not have a previous spec`);
  }
  return {
    ...service,
    spec: previousSpec,
    specVersion: previousSpecVersion ?? 0,
    previousSpec: spec,
    previousSpecVersion: specVersion,
    updateStatus: {
      state: 'rollback_started',
      startedAtMs: nowMs,
      message: 'manually requested rollback',
    },
  };
}

/** Every update of a job is a run of its own. */
function nextRun({ job }: Service, nowMs: number): Pick<Service, 'job'> {
  return job ? { job: { iteration: job.iteration + 1, lastExecutionMs: nowMs } } : {};
}
