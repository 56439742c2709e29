import type { BalancedNetwork, Network, Node } from '../model/index.ts';
import type { View } from '../store/index.ts';
import { withoutPrefix } from './service-endpoints.ts';

const ENCRYPTED_OPTION = 'encrypted';
const MTU_OPTION = 'com.docker.network.driver.mtu';
/** What IPv4 asks of every link, and what a packet can have. */
const MTU_MIN = 68;
const MTU_MAX = 65_535;

/** The overlay networks that a node takes part in. */
export function networksOf({ attachments }: Pick<Node, 'attachments'>): ReadonlySet<string> {
  return new Set(
    attachments.filter(({ addresses }) => addresses.length > 0).map(({ networkId }) => networkId),
  );
}

/** A node's own address on a network, with its prefix; '' where it has none. */
export function nodeAddress({ attachments }: Pick<Node, 'attachments'>, networkId: string): string {
  return attachments.find((one) => one.networkId === networkId)?.addresses[0] ?? '';
}

/** A network as the balancer of one node is told of it. Undefined where the node has no address there. */
export function balancedNetwork(
  node: Node,
  network: Network,
  entries: BalancedNetwork['entries'],
): BalancedNetwork | undefined {
  const address = nodeAddress(node, network.id);
  if (address === '') return undefined;
  const { id, spec, allocated } = network;
  return {
    ...{ id, name: spec.annotations.name, ingress: spec.ingress, address, entries },
    subnets: allocated?.ipam.configs.map(({ subnet }) => subnet) ?? [],
    mtu: mtuOf(network),
    encrypted: isEncrypted(network),
  };
}

/** Every node's address on the ingress network. */
export function entriesOf(view: Pick<View, 'all'>, ingressId: string): BalancedNetwork['entries'] {
  return [...view.all('node')].flatMap((node) => {
    const address = withoutPrefix(nodeAddress(node, ingressId));
    return address === '' ? [] : [{ nodeId: node.id, address }];
  });
}

/** As for engines: by the option being there, whatever its value. */
function isEncrypted({ spec, allocated }: Network): boolean {
  const options = [allocated?.driver.options, spec.driver?.options];
  return options.some((one) => one !== undefined && Object.hasOwn(one, ENCRYPTED_OPTION));
}

function mtuOf({ spec, allocated }: Network): number {
  const text = allocated?.driver.options[MTU_OPTION] ?? spec.driver?.options[MTU_OPTION] ?? '';
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return mtu >= MTU_MIN && mtu <= MTU_MAX ? mtu : 0;
}
