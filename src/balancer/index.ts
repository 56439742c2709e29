/** The door of the balancer: virtual IPs and the routing mesh of one host, by nftables. */
export type { Balancer, BalancerOptions, EngineView } from './types.ts';
