import type { IpamOptions, Network } from '../../model/index.ts';
import { timeText } from '../shapes/common.ts';

/** Of a network that each engine makes by itself: what it is made from stays there. */
const NO_IPAM = { Driver: '', Options: null, Config: [] };

/** A network of the swarm as Docker shows it where no container of this host is on it. */
export function networkJson({ id, meta, spec, allocated }: Network): Record<string, unknown> {
  // Until it is allocated, what the user asked for.
  const driver = allocated?.driver ?? spec.driver;
  const ipam = allocated?.ipam ?? spec.ipam;
  return {
    Name: spec.annotations.name,
    Id: id,
    Created: timeText(meta.createdAtMs),
    Scope: 'swarm',
    Driver: driver?.name ?? '',
    EnableIPv4: true,
    EnableIPv6: spec.ipv6,
    IPAM: spec.nodeLocal ? NO_IPAM : ipamJson(ipam),
    Internal: spec.internal,
    Attachable: spec.attachable,
    Ingress: spec.ingress,
    ConfigFrom: { Network: spec.configFrom ?? '' },
    ConfigOnly: false,
    Containers: null,
    Options: spec.nodeLocal ? null : (driver?.options ?? {}),
    Labels: spec.annotations.labels,
  };
}

function ipamJson(ipam: IpamOptions | undefined): Record<string, unknown> {
  const configs = ipam?.configs ?? [];
  const options = ipam?.driver.options ?? {};
  return {
    Driver: ipam?.driver.name || 'default',
    Options: Object.keys(options).length > 0 ? options : null,
    Config: configs.map(({ subnet, range, gateway, reserved }) => ({
      ...(subnet === '' ? {} : { Subnet: subnet }),
      ...(range === '' ? {} : { IPRange: range }),
      ...(gateway === '' ? {} : { Gateway: gateway }),
      ...(Object.keys(reserved).length === 0 ? {} : { AuxiliaryAddresses: reserved }),
    })),
  };
}
