import { newId } from '../base/ids.ts';
import type { Network, NetworkSpec } from '../model/index.ts';
import type { Fresh } from '../store/index.ts';

/** Marks the rows that stand for networks which every engine has; as in SwarmKit, agents and clients look for it. */
export const PREDEFINED_LABEL = 'com.docker.swarm.predefined';

/** The networks that every engine has, and their drivers. */
export const PREDEFINED_NETWORKS: ReadonlyMap<string, string> = new Map([
  ['bridge', 'bridge'],
  ['host', 'host'],
  ['none', 'null'],
]);

/** What `docker swarm init` writes: the ingress network, and rows for the networks that every engine has. */
export function initialNetworks(): Fresh<'network'>[] {
  return [
    ingressNetwork(),
    ...[...PREDEFINED_NETWORKS].map(([name, driver]) =>
      network({
        annotations: { name, labels: { [PREDEFINED_LABEL]: 'true' } },
        driver: { name: driver, options: {} },
        ingress: false,
        nodeLocal: true,
      }),
    ),
  ];
}

/** The network of the ports published in ingress mode; the first, so that it gets the first subnet of the pool. */
export function ingressNetwork(): Fresh<'network'> {
  return network({
    annotations: { name: 'ingress', labels: {} },
    driver: { name: 'overlay', options: {} },
    ingress: true,
    nodeLocal: false,
  });
}

/** Whether a row stands for a network that every engine has; lists leave it out, because engines list their own. */
export function isPredefined({ spec }: Pick<Network, 'spec'>): boolean {
  const { name, labels } = spec.annotations;
  // Users may give any label.
  return spec.nodeLocal && PREDEFINED_NETWORKS.has(name) && labels[PREDEFINED_LABEL] === 'true';
}

function network(
  spec: Pick<NetworkSpec, 'annotations' | 'driver' | 'ingress' | 'nodeLocal'>,
): Fresh<'network'> {
  return {
    id: newId(),
    spec: { ipv6: false, internal: false, attachable: false, configOnly: false, ...spec },
  };
}
