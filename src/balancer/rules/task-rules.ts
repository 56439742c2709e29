import { isIPv4 } from 'node:net';
import type { Backend, BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';
import { anew, baseChain, TAKE_TIME } from './frame-lines.ts';
import { macOf } from './hardware-address.ts';
import { TABLE } from './parts.ts';
import { numberOf, soundBackends, soundPorts } from './sound.ts';
import type { Frame } from './types.ts';

/** Of the nodes that clients come in by: their addresses, and by their hardware addresses a mark and a zone. */
const NODES = 'nodes';
const MARKS = 'marks';
const ZONES = 'zones';
/** Clients that have sent UDP. */
const CALLERS = 'callers';
/** Before the rules that every namespace begins with (32766). */
const RULE_PREFERENCE = '100';

/** The frames of this node's tasks of a service that keeps its clients' addresses. */
export function taskFrames(nodeId: string, ingress: BalancedNetwork, service: ServiceEndpoints): Frame[] {
  if (!service.keepClients || service.networkId !== ingress.id) return [];
  const own = soundBackends(service).filter((one) => one.nodeId === nodeId);
  return own.map((backend) => taskFrame(backend, entriesOf(ingress), udpTargets(service)));
}

/**
 * A task's own namespace. Connections come over the ingress network with their client's address, so answers would leave
 * by the default route, past the node that they came through. Each connection is marked with that node, which its
 * first packet's sender tells; the mark is the node's address as a number, and names a table with a route by it.
 *
 * A client may use one port of its own for connections to several nodes, which are one and the same connection for the
 * task. So each node has a zone of its own in conntrack for what comes, but not for answers: the kernel then
 * gives the later connection another port where it is delivered.
 */
function taskFrame(backend: Backend, entries: readonly string[], udpPorts: readonly number[]): Frame {
  const { address, taskId } = backend;
  const nft = anew(
    `add set ${TABLE} ${NODES} { type ipv4_addr ; }`,
    `add map ${TABLE} ${MARKS} { type ether_addr : mark ; }`,
    `add map ${TABLE} ${ZONES} { typeof ether saddr : ct zone ; }`,
    ...entries.flatMap(elementsOf),
    ...baseChain('apart', 'type filter hook prerouting priority -300', [
      `ip daddr ${address} ip saddr != @${NODES} ct original zone set ether saddr map @${ZONES}`,
    ]),
    ...baseChain('entered', 'type filter hook prerouting priority -150', [
      `ip daddr ${address} ct state new ${TAKE_TIME}`,
      `ip daddr ${address} ct state new ct mark set ether saddr map @${MARKS}`,
    ]),
    ...baseChain('ports', 'type nat hook input priority 90', []),
    ...(udpPorts.length === 0 ? [] : unboundSender(address, udpPorts)),
    ...baseChain('left', 'type route hook output priority -150', [
      `ip saddr ${address} ct direction reply ct mark != 0 meta mark set ct mark`,
    ]),
  );
  return {
    place: { kind: 'task', taskId },
    fingerprint: nft.join('\n'),
    nft,
    // Loose: what comes from a client's address need not come the way that the client is reached by.
    sysctls: [['net/ipv4/conf/all/rp_filter', '2']],
    routes: entries.flatMap(routeBy),
  };
}

function elementsOf(entry: string): string[] {
  const [number, mac] = [numberOf(entry), macOf(entry)];
  return [
    `add element ${TABLE} ${NODES} { ${entry} }`,
    `add element ${TABLE} ${MARKS} { ${mac} : ${number} }`,
    `add element ${TABLE} ${ZONES} { ${mac} : ${number & 0xffff} }`,
  ];
}

/**
 * A server that answers UDP from a socket bound to no address gets its source from the route to the client, the
 * default one, before any rule sees the packet. It is put right before the kernel looks for the packet's connection.
 */
function unboundSender(address: string, udpPorts: readonly number[]): string[] {
  const udp = `udp dport { ${udpPorts.join(', ')} }`;
  const answer = `udp sport { ${udpPorts.join(', ')} }`;
  const set = '{ type ipv4_addr . inet_service ; flags dynamic, timeout ; timeout 3m ; size 65535 ; }';
  return [
    `add set ${TABLE} ${CALLERS} ${set}`,
    ...baseChain('called', 'type filter hook input priority 150', [
      `ip daddr ${address} ct mark != 0 ${udp} update @${CALLERS} { ip saddr . udp sport }`,
    ]),
    ...baseChain('sent', 'type filter hook output priority -300', [
      `ip saddr != ${address} ${answer} ip daddr . udp dport @${CALLERS} ip saddr set ${address}`,
    ]),
  ];
}

function routeBy(entry: string): Frame['routes'] {
  const table = `${numberOf(entry)}`;
  const rule = ['pref', RULE_PREFERENCE, 'fwmark', table, 'lookup', table];
  const route = ['default', 'via', entry, 'table', table];
  return [
    { add: ['rule', 'add', ...rule], undo: ['rule', 'del', ...rule] },
    { add: ['route', 'replace', ...route], undo: ['route', 'del', ...route] },
  ];
}

function entriesOf(ingress: BalancedNetwork): string[] {
  const addresses = new Set(ingress.entries.map(({ address }) => address).filter((one) => isIPv4(one)));
  return [...addresses].sort((a, b) => numberOf(a) - numberOf(b));
}

function udpTargets(service: ServiceEndpoints): number[] {
  const targets = soundPorts(service)
    .filter(({ protocol }) => protocol === 'udp')
    .map(({ target }) => target);
  return [...new Set(targets)].sort((a, b) => a - b);
}
