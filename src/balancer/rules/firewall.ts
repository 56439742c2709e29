import { GATEWAY_BRIDGE } from './host-rules.ts';

/**
 * What the mesh needs of the host's firewall, as the arguments of iptables that follow `-A CHAIN` or `-C CHAIN`.
 *
 * Engines 20.10 to 28 drop in FORWARD what goes to docker_gwbridge and is none of theirs, what goes from that bridge to
 * itself (it has no inter-container communication), and what goes between it and other bridges. All of them have the
 * chain DOCKER-USER before that, for rules of the host's owner. These go to its end, before a final RETURN, so that what the
 * owner drops is dropped:
 *
 * - to the mesh's sandbox: connections that were translated on this host, as those to published ports are;
 * - from it: answers to them, and errors that belong to them. 20.10 needs it for containers on the host's own bridges,
 *   which it lets nothing of docker_gwbridge through to (DOCKER-ISOLATION); 28 lets answers through anyway.
 *
 * What the host itself sends and gets needs neither: it is not forwarded.
 */
export function firewallRules(meshAddress: string): readonly (readonly string[])[] {
  const state = (states: string): string[] => ['-m', 'conntrack', '--ctstate', states, '-j', 'ACCEPT'];
  return [
    ['-d', `${meshAddress}/32`, '-o', GATEWAY_BRIDGE, ...state('DNAT')],
    ['-s', `${meshAddress}/32`, '-i', GATEWAY_BRIDGE, ...state('RELATED,ESTABLISHED')],
  ];
}
