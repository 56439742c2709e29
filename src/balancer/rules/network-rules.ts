import { isIPv4 } from 'node:net';
import type { ServiceEndpoints } from '../../model/index.ts';
import {
  anew,
  BALANCED,
  baseChain,
  KNOWN_STARTS,
  NAT_IN,
  NAT_OUT,
  REFUSE,
  TAKE_TIME,
} from './frame-lines.ts';
import { chain, pathTo, TABLE, unitOf } from './parts.ts';
import { servingOf, turnOf } from './picks.ts';
import type { Frame, Part, Unit, Wish } from './types.ts';

const VIPS = 'vips';

/** The load-balancer sandbox of a network: virtual IPs lead to tasks, whose answers come back by the sandbox's own address. */
export function networkFrame(networkId: string): Frame {
  const nft = anew(
    `add map ${TABLE} ${VIPS} { type ipv4_addr : verdict ; }`,
    ...baseChain('new', NAT_IN, [KNOWN_STARTS, TAKE_TIME, `${BALANCED} ip daddr vmap @${VIPS}`]),
    ...baseChain('source', NAT_OUT, ['ct status dnat masquerade']),
    ...REFUSE,
  );
  return {
    place: { kind: 'network', networkId },
    fingerprint: nft.join('\n'),
    nft,
    sysctls: [['net/ipv4/ip_forward', '1']],
    routes: [],
  };
}

/** One service on one network. Without tasks its address is there, and refuses. */
export function networkUnit(wish: Wish, service: ServiceEndpoints): Unit | undefined {
  const { networkId, serviceId, virtualIp } = service;
  if (!isIPv4(virtualIp)) return undefined;
  const serving = servingOf(service);
  const parts: Part[] = [];
  if (serving.length > 0) {
    const name = `v.${virtualIp}`;
    parts.push(chain(name, [`dnat to ${turnOf(wish.facts.nodeId, serviceId, serving)}`]));
    parts.push(pathTo(VIPS, virtualIp, name));
  }
  return unitOf({ kind: 'network', networkId }, `${networkId}/${serviceId}`, parts, [virtualIp]);
}
