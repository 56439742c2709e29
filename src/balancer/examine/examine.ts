import { messageOf } from '../../base/errors.ts';
import type { BalancedNetwork, DoctorFinding, ServiceEndpoints } from '../../model/index.ts';
import type { Enforcement } from '../enforcement.ts';
import type { Firewall } from '../firewall.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { placeKey, placeName } from '../places.ts';
import { ownerOfPort } from '../ports/port-owner.ts';
import { portKey } from '../ports/reserved-ports.ts';
import { firewallRules, soundPorts, type Place } from '../rules/index.ts';
import { sandboxName } from '../sandboxes.ts';
import type { OverlayPeers } from '../peers/overlay-peers.ts';
import type { KnownState } from '../state.ts';
import { fault, ok } from './finding.ts';
import { entriesIn } from './passage/entry-links.ts';
import { forwardingFindings } from './passage/forwarding.ts';
import { passageFindings } from './passage/passage-findings.ts';
import { peerFindings } from './peers.ts';
import { rulesFinding } from './places.ts';
import { addressFinding } from './service.ts';

/** Networks that are looked at, at most. */
const MOST_NETWORKS = 16;

export interface Examined {
  readonly nodeId: string;
  readonly state: KnownState;
  readonly enforcement: Enforcement;
  readonly kernel: Kernel;
  readonly firewall: Firewall;
  readonly peers: Pick<OverlayPeers, 'isUnheard'>;
}

/** What is wrong, and what is right, on this node: for one service, or for all that concerns no service ('' ). */
export async function examineHost(host: Examined, serviceId: string): Promise<readonly DoctorFinding[]> {
  const { state } = host;
  const endpoints = [...state.services.values()].filter((one) => one.serviceId === serviceId);
  const networks =
    serviceId === ''
      ? [...state.networks.values()]
      : endpoints.flatMap(({ networkId }) => state.networks.get(networkId) ?? []);
  const byNetwork = networks.slice(0, MOST_NETWORKS).map(async (network) => {
    const service = endpoints.find(({ networkId }) => networkId === network.id);
    const told = service ? [addressFinding(service, network.address, network.name)] : [];
    return [...told, ...(await networkFindings(host, network, service))];
  });
  const homeless = endpoints
    .filter(({ networkId }) => !state.networks.has(networkId))
    .map((one) => addressFinding(one, '', one.networkId));
  const ports = serviceId === '' || endpoints.some((one) => one.ports.length > 0);
  const found = await Promise.all([...byNetwork, ports ? meshFindings(host, endpoints) : []]);
  return [...homeless, ...found.flat()];
}

async function networkFindings(
  { enforcement, kernel, state, nodeId, peers: overlay }: Examined,
  network: BalancedNetwork,
  service: ServiceEndpoints | undefined,
): Promise<readonly DoctorFinding[]> {
  const place: Place = network.ingress ? { kind: 'mesh' } : { kind: 'network', networkId: network.id };
  const sandbox = enforcement.sandboxOf(place);
  const name = placeName(place, state.networks);
  if (!sandbox) return noSandbox(network, name, state.servicesOn(network.id).some(hasTaskOn(nodeId)));
  const frame = enforcement.wished.frames.get(placeKey(place));
  const isUnheard = (address: string): boolean => overlay.isUnheard(network.id, address);
  const [rules, peers] = await Promise.all([
    frame && rulesFinding(kernel, frame, enforcement.wished.unitsOf(placeKey(place)), sandbox, name),
    service ? peerFindings(kernel, nodeId, service, sandbox, network.name, isUnheard) : [],
  ]);
  return [...(rules ? [rules] : []), ...peers];
}

function hasTaskOn(nodeId: string): (service: ServiceEndpoints) => boolean {
  return ({ backends }) => backends.some((one) => one.nodeId === nodeId && one.state === 'serving');
}

/**
 * The engine makes a network when the first of its containers comes, the mesh's when it joins; a node has an address on a
 * network for a while longer than it has tasks there.
 */
function noSandbox(network: BalancedNetwork, name: string, hasTask: boolean): readonly DoctorFinding[] {
  const file = sandboxName(network);
  if (network.ingress)
    return [
      fault(
        name,
        `The engine has no sandbox for it (${file}): see its log, and whether docker network ls shows ${network.name}`,
      ),
    ];
  if (!hasTask) return [];
  return [
    fault(
      name,
      `The engine has made no sandbox for it (${file}), though a task of this node is on it: virtual IPs do not answer there. ` +
        'See its log',
    ),
  ];
}

/** The way from the host's ports to the mesh's sandbox. */
async function meshFindings(
  host: Examined,
  endpoints: readonly ServiceEndpoints[],
): Promise<readonly DoctorFinding[]> {
  const { enforcement, kernel } = host;
  const place: Place = { kind: 'host' };
  const frame = enforcement.wished.frames.get(placeKey(place));
  const sandbox = enforcement.sandboxOf(place);
  const rules =
    frame &&
    sandbox &&
    (await rulesFinding(kernel, frame, enforcement.wished.unitsOf('host'), sandbox, 'this host'));
  const opened = frame ? await passageOf(host, endpoints) : [];
  return [...(rules ? [rules] : []), ...opened, ...(await takenFindings(enforcement, endpoints))];
}

/** Whether the host lets what comes for published ports through to the mesh's sandbox. */
async function passageOf(
  { firewall, kernel, enforcement, state }: Examined,
  endpoints: readonly ServiceEndpoints[],
): Promise<readonly DoctorFinding[]> {
  const { meshAddress } = enforcement.facts;
  const services = endpoints.length > 0 ? endpoints : [...state.services.values()];
  try {
    const entries = entriesIn(await kernel.links(''));
    const forwarding = await forwardingFindings(kernel, entries);
    const openings = await openingsFinding(firewall, meshAddress);
    if (openings.verdict === 'fault') return [...forwarding, openings];
    const question = { meshAddress, ports: services.flatMap(soundPorts), entries };
    const dropped = await passageFindings(kernel, () => firewall.listing(), question);
    return [...forwarding, ...(dropped.length > 0 ? dropped : [openings])];
  } catch (error) {
    return [fault('firewall', `It can't be seen: ${messageOf(error)}`)];
  }
}

/** The openings that are the balancer's own. */
async function openingsFinding(firewall: Firewall, meshAddress: string): Promise<DoctorFinding> {
  const subject = 'firewall';
  const needed = firewallRules(meshAddress).length;
  const present = await firewall.present();
  if (present === undefined) return ok(subject, 'It drops nothing that is forwarded');
  if (present === needed) return ok(subject, `It lets published ports through to ${meshAddress}`);
  return fault(
    subject,
    `It may drop what goes to published ports: ${needed - present} of ${needed} openings are missing; swarmd puts them back within seconds`,
  );
}

async function takenFindings(
  { takenPorts }: Enforcement,
  endpoints: readonly ServiceEndpoints[],
): Promise<readonly DoctorFinding[]> {
  const own = new Set(endpoints.flatMap(({ ports }) => ports.map(portKey)));
  const taken = takenPorts.filter((port) => endpoints.length === 0 || own.has(portKey(port)));
  return Promise.all(
    taken.map(async (port) => {
      const owner = await ownerOfPort(port).catch(() => undefined);
      return fault(
        `port ${port.published}/${port.protocol}`,
        'Something on the host listens there already, and the mesh leaves it alone: stop that, or publish another port' +
          (owner === undefined ? '' : `. It is ${owner}`),
      );
    }),
  );
}
