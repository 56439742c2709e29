/** The door of the allocator: subnets, addresses, virtual IPs, published ports and VXLAN ids. */
export { runAllocator } from './allocator.ts';
export { findIngress, needsIngress, portKey } from './endpoint.ts';
export { ingressNetwork, initialNetworks, isPredefined, PREDEFINED_NETWORKS } from './initial-networks.ts';
export { readVxlanIds, VXLAN_OPTION } from './vxlan-ids.ts';
