import { formatCidr, parseCidr } from '../../base/cidr.ts';
import type { ServiceEndpoints } from '../../model/index.ts';
import { anew, baseChain, NAT_HERE, NAT_IN, NAT_OUT, TAKE_TIME } from './frame-lines.ts';
import { member, TABLE, unitOf } from './parts.ts';
import { soundPorts } from './sound.ts';
import type { Frame, HostFacts, Unit, Wish } from './types.ts';

const PORTS = 'ports';
/** The bridge that engines reach the mesh's sandbox by. */
export const GATEWAY_BRIDGE = 'docker_gwbridge';

/** The host itself: what comes for a published port at any of its addresses goes to the mesh's sandbox. */
export function hostFrame({ meshAddress, meshPrefix }: HostFacts): Frame {
  const bridge = parseCidr(meshPrefix)?.block;
  const near = ['127.0.0.0/8', ...(bridge?.family === 4 ? [formatCidr(bridge)] : [])].join(', ');
  const published = [`meta l4proto . th dport @${PORTS} goto published`];
  const nft = anew(
    `add set ${TABLE} ${PORTS} { type inet_proto . inet_service ; }`,
    `add chain ${TABLE} published`,
    ...['fib daddr type != local accept', TAKE_TIME, `dnat to ${meshAddress}`].map(
      (rule) => `add rule ${TABLE} published ${rule}`,
    ),
    ...baseChain('new', NAT_IN, published),
    ...baseChain('here', NAT_HERE, published),
    // Answers to the host's own 127.0.0.1, and to those on the bridge, would not come back through the host.
    ...baseChain('source', NAT_OUT, [
      `ct status dnat ip daddr ${meshAddress} ip saddr { ${near} } masquerade`,
    ]),
    // route_localnet would let containers reach what listens on 127.0.0.1 alone.
    ...baseChain('guard', 'type filter hook prerouting priority -300', [
      `iifname "${GATEWAY_BRIDGE}" ip daddr 127.0.0.0/8 drop`,
    ]),
  );
  return {
    place: { kind: 'host' },
    fingerprint: nft.join('\n'),
    nft,
    sysctls: [[`net/ipv4/conf/${GATEWAY_BRIDGE}/route_localnet`, '1']],
    routes: [],
  };
}

/** One service's published ports, without those that something on the host listens on. */
export function hostUnit(wish: Wish, service: ServiceEndpoints): Unit | undefined {
  const ports = soundPorts(service)
    .filter(({ protocol, published }) => !wish.facts.takenPorts.has(`${protocol}/${published}`))
    .map(({ protocol, published }) => member(PORTS, `${protocol} . ${published}`));
  if (ports.length === 0) return undefined;
  return unitOf({ kind: 'host' }, `${service.networkId}/${service.serviceId}`, ports, []);
}
