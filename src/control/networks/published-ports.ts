import type { SwarmError } from '../../base/errors.ts';
import { findIngress, needsIngress, portKey } from '../../allocator/index.ts';
import type { PortConfig, Service, ServiceSpec } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { rpcError } from '../rpc-error.ts';

/**
 * Checks the published ports of a service that is made, or changed (`serviceId`), against those of all others. Throws
 * `invalid` in SwarmKit's words. Ports in host mode may be the same: placing sees to that.
 */
export function checkPublishedPorts(
  view: Pick<View, 'all'>,
  spec: Pick<ServiceSpec, 'endpoint'>,
  serviceId = '',
): void {
  if (needsIngress(spec) && !findIngress(view))
    throw rpcError('FailedPrecondition', 'service needs ingress network, but no ingress network is present');
  const fixed = (spec.endpoint?.ports ?? []).filter(({ publishedPort }) => publishedPort !== 0);
  if (fixed.length === 0) return;
  const keys = { ingress: keysOf(fixed, 'ingress'), host: keysOf(fixed, 'host') };
  for (const other of view.all('service')) {
    if (other.id === serviceId) continue;
    for (const port of [...(other.spec.endpoint?.ports ?? []), ...(other.endpoint?.ports ?? [])]) {
      if (port.publishedPort === 0) continue;
      const key = portKey(port);
      if (port.publishMode === 'host' && keys.ingress.has(key))
        throw taken(port, other, 'a host-published port');
      if (port.publishMode === 'ingress' && (keys.ingress.has(key) || keys.host.has(key)))
        throw taken(port, other, 'an ingress port');
    }
  }
}

function keysOf(ports: readonly PortConfig[], mode: PortConfig['publishMode']): Set<string> {
  return new Set(ports.filter(({ publishMode }) => publishMode === mode).map(portKey));
}

function taken({ publishedPort }: PortConfig, { id, spec }: Service, as: string): SwarmError {
  const { name } = spec.annotations;
  return rpcError(
    'InvalidArgument',
    `port '${publishedPort}' is already in use by service '${name}' (${id}) as ${as}`,
  );
}
