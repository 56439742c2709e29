/** The door of the allocator: subnets, addresses, virtual IPs, published ports and VXLAN ids. */
export { runAllocator } from './allocator.ts';
export { findIngress, needsIngress, portKey } from './endpoint.ts';
export {
  ingressNetwork,
  initialNetworks,
  isPredefined,
  PREDEFINED_LABEL,
  PREDEFINED_NETWORKS,
} from './initial-networks.ts';
export { unusable } from './subnet-addresses.ts';
export { readVxlanIds, VXLAN_OPTION } from './vxlan-ids.ts';
