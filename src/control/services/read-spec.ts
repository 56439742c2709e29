import { readJson, type ApiCall } from '../../docker-api/index.ts';
import type { ServiceSpec } from '../../model/index.ts';
import type { ControlContext } from '../context.ts';
import { resolveNetworkTargets } from '../networks/resolve.ts';
import { serviceSpec } from '../shapes/service-spec.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { adjustForVersion } from './adjust.ts';

/** The spec that a client sent, of what its version knows; not checked yet. Throws `invalid` in Docker's words. */
export async function readSpec(call: ApiCall): Promise<ServiceSpec> {
  return adjustForVersion(readBodyAs(serviceSpec, await readJson(call.req)), call.minor);
}

/** The same spec with networks by their ids. */
export async function withNetworkIds(context: ControlContext, spec: ServiceSpec): Promise<ServiceSpec> {
  const networks = await resolveNetworkTargets(context, spec.task.networks);
  return { ...spec, task: { ...spec.task, networks } };
}

/** The same spec with what agents show a registry. */
export function withRegistryAuth(spec: ServiceSpec, registryAuth: string): ServiceSpec {
  const { container } = spec.task;
  if (!container) return spec;
  return { ...spec, task: { ...spec.task, container: { ...container, registryAuth } } };
}

/** `X-Registry-Auth`, kept as it came; '' where there is none. */
export function registryAuthOf(call: ApiCall): string {
  const header = call.req.headers['x-registry-auth'];
  return typeof header === 'string' ? header : '';
}
