import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { NetworkSchema, type Network as WireNetwork } from '../../proto/generated/swarmkit/objects_pb.js';
import { IPAMConfig_AddressFamily, type IPAMOptionsSchema } from '../../proto/generated/swarmkit/types_pb.js';
import { SwarmError } from '../base/errors.ts';
import type { IpamOptions, Network } from '../model/index.ts';
import { annotations, driver, given, timestamp, uint64 } from './to-wire-values.ts';

/** Networks that every engine has; agents know by this label that theirs is meant, and do not make one. */
const PREDEFINED: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);
const PREDEFINED_LABEL = 'com.docker.swarm.predefined';

const made = new WeakMap<Network, WireNetwork>();

/**
 * A network that agents can use: allocated, or one of each engine's own. When it is not, undefined, or with `strict` a
 * throw of `invalid`.
 */
export function networkToWire(
  network: Network | undefined,
  id: string,
  strict: boolean,
): WireNetwork | undefined {
  if (!network || (!network.allocated && !network.spec.nodeLocal)) {
    if (!strict) return undefined;
    throw new SwarmError('invalid', `network ${id} ${network ? 'has no addresses yet' : 'is gone'}`);
  }
  let wire = made.get(network);
  if (!wire) {
    wire = create(NetworkSchema, network.spec.nodeLocal ? nodeLocal(network) : allocated(network));
    made.set(network, wire);
  }
  return wire;
}

function common({ id, meta, spec, pendingDelete }: Network) {
  return {
    id,
    meta: {
      version: { index: uint64(meta.version) },
      createdAt: timestamp(meta.createdAtMs),
      updatedAt: timestamp(meta.updatedAtMs),
    },
    spec: {
      annotations: annotations(spec.annotations),
      ...given('driverConfig', spec.driver, driver),
      ipv6Enabled: spec.ipv6,
      internal: spec.internal,
      ...given('ipam', spec.ipam, ipam),
      attachable: spec.attachable,
      ingress: spec.ingress,
      ...given('configFrom', spec.configFrom, (value) => ({ case: 'network' as const, value })),
    },
    pendingDelete: pendingDelete ?? false,
  };
}

function allocated(network: Network): MessageInitShape<typeof NetworkSchema> {
  const { allocated } = network;
  return {
    ...common(network),
    ...given('driverState', allocated?.driver, driver),
    ...given('ipam', allocated?.ipam, ipam),
  };
}

/** Nothing is allocated: the driver's name, and addresses of no driver, whose absence would end an agent. */
function nodeLocal(network: Network): MessageInitShape<typeof NetworkSchema> {
  const { name, labels } = network.spec.annotations;
  const plain = common(network);
  return {
    ...plain,
    spec: PREDEFINED.has(name)
      ? { ...plain.spec, annotations: { name, labels: { ...labels, [PREDEFINED_LABEL]: 'true' } } }
      : plain.spec,
    driverState: { name: network.spec.driver?.name ?? name },
    ipam: { driver: {} },
  };
}

/** The driver is always there: agents read it without asking whether it is. */
function ipam(of: IpamOptions): MessageInitShape<typeof IPAMOptionsSchema> {
  return {
    driver: driver(of.driver),
    configs: of.configs.map(({ subnet, range, gateway, reserved }) => ({
      family: subnet.includes(':') ? IPAMConfig_AddressFamily.IPV6 : IPAMConfig_AddressFamily.IPV4,
      subnet,
      range,
      gateway,
      reserved: { ...reserved },
    })),
  };
}
