import type { MeshPort, ServiceEndpoints } from '../../model/index.ts';
import { anew, baseChain, KNOWN_STARTS, NAT_IN, NAT_OUT, REFUSE, TAKE_TIME } from './frame-lines.ts';
import { chain, member, pathTo, TABLE, unitOf } from './parts.ts';
import { servingOf, turnOf } from './picks.ts';
import { nameOf, soundPorts } from './sound.ts';
import type { Frame, Part, Unit, Wish } from './types.ts';

const PORTS = 'ports';
/** Tasks that answer clients at their own address. */
const KEEPERS = 'keepers';

/** The mesh's sandbox: what comes for a published port leads to tasks on the ingress network. */
export function meshFrame(meshAddress: string): Frame {
  const nft = anew(
    `add map ${TABLE} ${PORTS} { type inet_proto . inet_service : verdict ; }`,
    `add set ${TABLE} ${KEEPERS} { type ipv4_addr ; }`,
    ...baseChain('new', NAT_IN, [
      KNOWN_STARTS,
      TAKE_TIME,
      `ip daddr ${meshAddress} meta l4proto . th dport vmap @${PORTS}`,
    ]),
    ...baseChain('source', NAT_OUT, [
      `ct status dnat ip daddr @${KEEPERS} accept`,
      'ct status dnat masquerade',
    ]),
    ...REFUSE,
  );
  return {
    place: { kind: 'mesh' },
    fingerprint: nft.join('\n'),
    nft,
    sysctls: [['net/ipv4/ip_forward', '1']],
    routes: [],
  };
}

/** One service's published ports. Without tasks there is nothing: the sandbox refuses. */
export function meshUnit(wish: Wish, service: ServiceEndpoints): Unit | undefined {
  const ports = soundPorts(service);
  const serving = servingOf(service);
  if (ports.length === 0 || serving.length === 0) return undefined;
  const turn = turnOf(wish.facts.nodeId, service.serviceId, serving);
  const name = `s.${nameOf(service.serviceId)}`;
  const inTask = taskPorts(ports);
  const chains = new Map<string, Part>();
  const paths: Part[] = [];
  for (const port of ports) {
    const target = inTask(port);
    const picks = target === port.published ? name : `${name}.${port.protocol}.${target}`;
    const rule =
      target === port.published
        ? `dnat to ${turn}`
        : `meta l4proto ${port.protocol} dnat to ${turn} : ${target}`;
    if (!chains.has(picks)) chains.set(picks, chain(picks, [rule]));
    const own = `p.${port.protocol}.${port.published}`;
    paths.push(chain(own, [`goto ${picks}`]), pathTo(PORTS, `${port.protocol} . ${port.published}`, own));
  }
  const keepers = service.keepClients ? serving.filter(({ keepsClients }) => keepsClients) : [];
  const direct = keepers.map(({ address }) => member(KEEPERS, address));
  const key = `${service.networkId}/${service.serviceId}`;
  return unitOf({ kind: 'mesh' }, key, [...direct, ...chains.values(), ...paths], []);
}

/**
 * Where a task's host takes packets for a published port: at the target, which every engine lets in. Where the target is
 * itself published (8080 to 80, and 90 to 8080), the engine would send it on in the task's namespace; packets then keep
 * the published port, and the engine makes the target of it.
 */
function taskPorts(ports: readonly MeshPort[]): (port: MeshPort) => number {
  const redirected = new Set(
    ports.filter((one) => one.published !== one.target).map((one) => `${one.protocol}/${one.published}`),
  );
  return (port) => (redirected.has(`${port.protocol}/${port.target}`) ? port.published : port.target);
}
