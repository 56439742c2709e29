import type { DoctorFinding, ServiceEndpoints } from '../../model/index.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Sandbox } from '../sandboxes.ts';
import { fault, ok, warning } from './finding.ts';
import { CLOSED_PORT, probe, type ProbeResult } from './probe.ts';

/** Nodes that are tried, at most; one task stands for its node. */
const MOST_PEERS = 16;
/** What VXLAN adds to a packet. */
const VXLAN_BYTES = 50;

/** Whether packets get from a network's sandbox on this node to tasks on others, and in their full size. */
export async function peerFindings(
  kernel: Kernel,
  ownNode: string,
  { backends, ports }: ServiceEndpoints,
  sandbox: Sandbox,
  networkName: string,
  isUnheard: (address: string) => boolean,
): Promise<readonly DoctorFinding[]> {
  const peers = new Map<string, string>();
  for (const { nodeId, address, state } of backends)
    if (nodeId !== ownNode && state === 'serving' && !peers.has(nodeId)) peers.set(nodeId, address);
  const tried = [...peers].slice(0, MOST_PEERS);
  if (tried.length === 0) return [];
  const mtu = (await kernel.links(sandbox.path)).find(({ name }) => name === sandbox.device)?.mtu ?? 0;
  const addresses = tried.map(([, address]) => address);
  const packets = { port: openPort(ports), mtu };
  const probed = packets.port === 0 ? [] : await probe(kernel.commands, sandbox.path, addresses, packets);
  const results = new Map(probed.map((one) => [one.address, one]));
  return Promise.all(
    tried.map(async ([nodeId, address]) => {
      const result = results.get(address);
      const subject = `path to node ${nodeId} on ${networkName}`;
      if (!result) return warning(subject, `Whether the task ${address} is reached could not be tried`);
      if (isUnheard(address)) return unheard(result, subject);
      const known = result.tcp === 'answered' || (await kernel.knowsNeighbour(sandbox.path, address));
      return judge(result, known, subject, mtu);
    }),
  );
}

/** On the ingress network, engines let nothing into tasks but what is published; 0 where that has no connections. */
function openPort(ports: ServiceEndpoints['ports']): number {
  if (ports.length === 0) return CLOSED_PORT;
  return ports.find(({ protocol }) => protocol === 'tcp')?.target ?? 0;
}

const GOSSIP =
  'Engines tell one another over port 7946, tcp and udp: see that nodes reach each other there at their advertised addresses';

/** The balancer has made the address known here. */
function unheard({ address, tcp }: ProbeResult, subject: string): DoctorFinding {
  if (tcp !== 'answered')
    return fault(subject, `The engine here does not know where the task ${address} is. ${GOSSIP}`);
  return warning(
    subject,
    `The task ${address} answers, but the engine here has not heard of it, as for a minute after hosts lost one another: names ` +
      `may lead nowhere. ${GOSSIP}`,
  );
}

/** `known`: the engine has learnt on which host the address is. */
function judge(result: ProbeResult, known: boolean, subject: string, mtu: number): DoctorFinding {
  const { address, tcp, small, full } = result;
  if (tcp !== 'answered' && !known)
    return fault(subject, `The engine here does not know where the task ${address} is. ${GOSSIP}`);
  if (tcp !== 'answered')
    return fault(
      subject,
      `The task ${address} does not answer. What networks carry goes over port 4789, udp: see that the nodes' firewalls, and ` +
        'what is between them, let it through both ways',
    );
  if (full === 'answered') return ok(subject, `The task ${address} answers, packets of ${mtu} bytes too`);
  if (small !== 'answered') return ok(subject, `The task ${address} answers`);
  return fault(
    subject,
    `The task ${address} answers, but packets of ${mtu} bytes are lost: what is between the nodes carries less than ${mtu + VXLAN_BYTES}. ` +
      'Make the network anew with a smaller --opt com.docker.network.driver.mtu, or let longer packets through',
  );
}
