import type { Endpoint, EndpointSpec, Network, PortConfig, ServiceSpec, VirtualIp } from '../model/index.ts';
import type { View } from '../store/index.ts';

/** What an endpoint is where the user said nothing. */
export const PLAIN_ENDPOINT: EndpointSpec = { mode: 'vip', ports: [] };

/** What a published port is known by within the swarm. */
export function portKey({ protocol, publishedPort }: Pick<PortConfig, 'protocol' | 'publishedPort'>): string {
  return `${protocol}/${publishedPort}`;
}

/** Whether a service takes part in the ingress network. */
export function needsIngress({ endpoint }: Pick<ServiceSpec, 'endpoint'>): boolean {
  return endpoint?.ports.some(({ publishMode }) => publishMode === 'ingress') ?? false;
}

/** All that a service has, on one network one at most. */
export function virtualIpsOf(endpoint: Endpoint | undefined): readonly VirtualIp[] {
  return endpoint ? [...endpoint.virtualIps, ...(endpoint.leavingIps ?? [])] : [];
}

/** The ingress network; there is one at most. */
export function findIngress(view: Pick<View, 'all'>): Network | undefined {
  for (const network of view.all('network')) if (network.spec.ingress) return network;
  return undefined;
}
