import type { IpamConfig, NetworkSpec } from '../../model/index.ts';
import { field, list, optional, struct, textMap } from '../shapes/compound.ts';
import { flag, text } from '../shapes/scalars.ts';
import { readBodyAs } from '../shapes/shape.ts';

/** What `POST /networks/create` asks for. */
export interface NetworkRequest {
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress: boolean;
  readonly configOnly: boolean;
  readonly configFrom?: { readonly network: string };
  readonly ipam?: {
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
    readonly configs: readonly IpamConfig[];
  };
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

const ipamConfig = struct<IpamConfig>('IPAMConfig', {
  subnet: field('Subnet', text),
  range: field('IPRange', text),
  gateway: field('Gateway', text),
  reserved: field('AuxiliaryAddresses', textMap),
});

const networkRequest = struct<NetworkRequest>('CreateRequest', {
  name: field('Name', text),
  driver: field('Driver', text),
  scope: field('Scope', text),
  ipv4: field('EnableIPv4', optional(flag)),
  ipv6: field('EnableIPv6', optional(flag)),
  internal: field('Internal', flag),
  attachable: field('Attachable', flag),
  ingress: field('Ingress', flag),
  configOnly: field('ConfigOnly', flag),
  configFrom: field('ConfigFrom', optional(struct('ConfigReference', { network: field('Network', text) }))),
  ipam: field(
    'IPAM',
    optional(
      struct<NonNullable<NetworkRequest['ipam']>>('IPAM', {
        driver: field('Driver', text),
        options: field('Options', textMap),
        configs: field('Config', list(ipamConfig)),
      }),
    ),
  ),
  options: field('Options', textMap),
  labels: field('Labels', textMap),
});

/** Throws `invalid` for another kind of value, in Go's words. */
export function readNetworkRequest(body: unknown): NetworkRequest {
  return readBodyAs(networkRequest, body);
}

/** Whether the network asked for is the swarm's; all others are the engine's. */
export function isSwarmNetwork({ driver, scope, configOnly }: NetworkRequest): boolean {
  return !configOnly && (driver === 'overlay' || scope === 'swarm');
}

/** What is stored of a request; where it names nothing, SwarmKit's drivers stand. */
export function networkSpec(request: NetworkRequest): NetworkSpec {
  const { name, driver, ipam, configFrom, options, labels } = request;
  return {
    annotations: { name, labels },
    driver: { name: driver, options },
    ipv6: request.ipv6 ?? false,
    internal: request.internal,
    attachable: request.attachable,
    ingress: request.ingress,
    ...(ipam
      ? { ipam: { driver: { name: ipam.driver || 'default', options: ipam.options }, configs: ipam.configs } }
      : {}),
    ...(configFrom && configFrom.network !== '' ? { configFrom: configFrom.network } : {}),
    configOnly: false,
    nodeLocal: driver !== 'overlay',
  };
}
