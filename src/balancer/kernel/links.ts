import { asArray, asNumber, asObject, asString } from '../../base/json.ts';

/** A network interface of a namespace. */
export interface Link {
  readonly name: string;
  /** Of the interface, for as long as it is there; one that is made anew has another. */
  readonly index: number;
  readonly mtu: number;
  readonly up: boolean;
  /** IPv4: `10.0.9.250`, without prefixes. */
  readonly addresses: readonly {
    readonly address: string;
    readonly prefix: number;
    readonly label: string;
  }[];
}

/** What `ip -j addr` prints. Throws on what is no JSON. */
export function readLinks(text: string): readonly Link[] {
  return asArray(JSON.parse(text))
    .map(asObject)
    .map((link) => ({
      name: asString(link.ifname),
      index: asNumber(link.ifindex),
      mtu: asNumber(link.mtu),
      up: asArray(link.flags).includes('UP'),
      addresses: asArray(link.addr_info)
        .map(asObject)
        .filter((one) => one.family === 'inet')
        .map((one) => ({
          address: asString(one.local),
          prefix: asNumber(one.prefixlen),
          label: asString(one.label),
        })),
    }));
}

/** Labels tell the addresses that the balancer has added from the engine's. */
const LABEL = 'skep';

/** Lines of `ip` that make a sandbox answer, or not answer, for addresses. */
export function addAliases(device: string, addresses: Iterable<string>): string[][] {
  return [...addresses].map((one) => [
    'addr',
    'replace',
    `${one}/32`,
    'dev',
    device,
    'label',
    `${device}:${LABEL}`,
  ]);
}

export function removeAliases(device: string, addresses: Iterable<string>): string[][] {
  return [...addresses].map((one) => ['addr', 'del', `${one}/32`, 'dev', device]);
}

/** The addresses that an interface has from the balancer. */
export function aliasesOf(link: Link): string[] {
  return link.addresses
    .filter(({ label }) => label === `${link.name}:${LABEL}`)
    .map(({ address }) => address);
}
