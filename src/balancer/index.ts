/** The door of the balancer: virtual IPs and the routing mesh of one host, by nftables. */
import type { Logger } from '../base/log.ts';
import { clearHost } from './clear-host.ts';
import { HostBalancer } from './host-balancer.ts';
import { SYSTEM_HOST } from './system-host.ts';
import type { Balancer, BalancerOptions } from './types.ts';

export { canEncrypt } from './kernel/encryption.ts';
export { hasIpvs } from './mode.ts';
export { ownerOfPort } from './ports/port-owner.ts';
export type { Balancer, BalancerOptions, EngineView } from './types.ts';

export function createBalancer(options: BalancerOptions): Balancer {
  return new HostBalancer(options, SYSTEM_HOST);
}

/**
 * Takes out of the kernel whatever a balancer of this host has put there: rules, addresses, openings in the
 * firewall; settings become what they were. It may be called again; rejects where something stays.
 */
export async function removeBalancing({ log }: { readonly log: Logger }): Promise<void> {
  await clearHost(SYSTEM_HOST);
  log.debug('nothing of the balancer is left in the kernel');
}
