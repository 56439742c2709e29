import type {
  Backend,
  BalancedNetwork,
  MeshPort,
  PortProtocol,
  ServiceEndpoints,
} from '../../model/index.ts';
import type { Wish } from './types.ts';

/** For tests: a host `here` on the ingress network and one other. */

export const network: BalancedNetwork = {
  ...{ id: 'net', name: 'my-net', ingress: false, address: '10.0.1.9/24', subnets: ['10.0.1.0/24'] },
  ...{ mtu: 0, encrypted: false, entries: [] },
};

export const ingress: BalancedNetwork = {
  ...{ id: 'ingr', name: 'ingress', ingress: true, address: '10.0.0.2/24', subnets: ['10.0.0.0/24'], mtu: 0 },
  encrypted: false,
  entries: [
    { nodeId: 'there', address: '10.0.0.3' },
    { nodeId: 'here', address: '10.0.0.2' },
  ],
};

export const wish: Wish = {
  facts: {
    ...{ nodeId: 'here', meshAddress: '172.18.0.2', meshPrefix: '172.18.0.2/16' },
    takenPorts: new Set(['tcp/22']),
  },
  networks: new Map([network, ingress].map((one) => [one.id, one])),
};

export function backend(address: string, more: Partial<Backend> = {}): Backend {
  return {
    ...{ taskId: `t${address.replaceAll('.', '')}`, nodeId: 'there', nodeAddress: '192.168.0.3', address },
    ...{ state: 'serving', keepsClients: false },
    ...more,
  };
}

/** A service on the network of its own. */
export function service(virtualIp: string, backends: readonly Backend[]): ServiceEndpoints {
  return {
    ...{ networkId: 'net', serviceId: 'web', name: 'web', virtualIp, ports: [], keepClients: false },
    backends,
  };
}

/** Its endpoints on the ingress network; ports as `8080:80` or `53:53/udp`. */
export function published(
  ports: readonly string[],
  backends: readonly Backend[],
  more: Partial<ServiceEndpoints> = {},
): ServiceEndpoints {
  return {
    ...{ networkId: 'ingr', serviceId: 'web', name: 'web', virtualIp: '10.0.0.5', keepClients: false },
    ...{ ports: ports.map(portOf), backends },
    ...more,
  };
}

function portOf(text: string): MeshPort {
  const [, from = '', to = '', protocol = 'tcp'] = /^(\d+):(\d+)(?:\/(\w+))?$/.exec(text) ?? [];
  return { protocol: protocol as PortProtocol, published: Number(from), target: Number(to) };
}
