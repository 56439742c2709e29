import { isPredefined } from '../../allocator/index.ts';
import type { MeshPortRef, Node, PortConfig, ServiceSpec } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { handful } from '../handful.ts';
import type { Balancing, MeshKnowledge } from '../mesh-knowledge.ts';

/**
 * Sentences for who makes a service, or changes it (`before`): nodes that will not answer what is new of its published
 * ports and virtual IPs. Nothing of nodes that are down, whose answer nobody expects.
 */
export async function meshWarnings(
  view: View,
  knowledge: MeshKnowledge | undefined,
  spec: ServiceSpec,
  before?: ServiceSpec,
): Promise<readonly string[]> {
  if (!knowledge) return [];
  const ports = newPorts(spec, before);
  const networks = newVirtualIps(view, spec, before);
  if (ports.length === 0 && networks.length === 0) return [];
  await knowledge.settled();
  const nodes = [...view.all('node')].filter(({ status }) => status.state !== 'down');
  const warnings: string[] = [];
  for (const balancing of ['none', 'unlikely'] as const) {
    const silent = nodes.filter(({ id }) => knowledge.balancing(id) === balancing);
    // A drained node answers published ports as any other; containers that use virtual IPs are not on it.
    const used = silent.filter(({ spec: { availability } }) => availability !== 'drain');
    if (ports.length > 0 && silent.length > 0) warnings.push(portWarning(ports, silent, balancing));
    if (networks.length > 0 && used.length > 0) warnings.push(addressWarning(networks, used, balancing));
  }
  // Where the service is published already, engines listen for it themselves.
  const more = ports.filter((port) => !ingressPorts(before).some((one) => refKey(one) === refKey(port)));
  return [...warnings, ...(await takenWarnings(view, knowledge, more))];
}

function newPorts(spec: ServiceSpec, before: ServiceSpec | undefined): readonly PortConfig[] {
  const old = ingressPorts(before);
  return ingressPorts(spec).filter(
    (port) => !old.some((one) => refKey(one) === refKey(port) && one.targetPort === port.targetPort),
  );
}

function ingressPorts(spec: ServiceSpec | undefined): readonly PortConfig[] {
  return spec?.endpoint?.ports.filter(({ publishMode }) => publishMode === 'ingress') ?? [];
}

function refKey({ protocol, publishedPort }: PortConfig): string {
  return `${publishedPort}/${protocol}`;
}

/** The names of the networks on which the service gets a virtual IP. */
function newVirtualIps(view: View, spec: ServiceSpec, before: ServiceSpec | undefined): readonly string[] {
  if (spec.endpoint?.mode === 'dnsrr') return [];
  const old = before?.endpoint?.mode === 'dnsrr' ? [] : (before?.task.networks ?? []);
  return spec.task.networks
    .filter(({ target }) => !old.some((one) => one.target === target))
    .map(({ target }) => view.get('network', target))
    .filter((network) => network !== undefined)
    .filter((network) => !network.spec.nodeLocal && !isPredefined(network))
    .map(({ spec: { annotations } }) => annotations.name);
}

function portWarning(ports: readonly PortConfig[], nodes: readonly Node[], balancing: Balancing): string {
  const what = `Published ${ports.length === 1 ? 'port' : 'ports'} ${handful(ports.map(portText))}`;
  const certain = balancing === 'none' ? 'will not' : 'will probably not';
  return (
    `${what} ${certain} be answered by ${nodesText(nodes)}: ${reason(nodes, balancing)}; ` +
    'run swarmd there, or publish with mode=host.'
  );
}

function addressWarning(networks: readonly string[], nodes: readonly Node[], balancing: Balancing): string {
  const what = networks.length === 1 ? 'virtual IP' : 'virtual IPs';
  const certain = balancing === 'none' ? 'will not' : 'will probably not';
  return (
    `The service's ${what} on ${handful(networks)} ${certain} answer containers on ${nodesText(nodes)}: ` +
    `${reason(nodes, balancing)}; run swarmd there, or use --endpoint-mode dnsrr.`
  );
}

function reason({ length }: readonly Node[], balancing: Balancing): string {
  const its = length === 1 ? 'its' : 'their';
  const [kernels, have, engines] =
    length === 1 ? ['kernel', 'has', 'engine'] : ['kernels', 'have', 'engines'];
  const swarmd = `no swarmd beside ${its} ${engines} balances instead`;
  return balancing === 'none'
    ? `${its} ${kernels} ${have} no IPVS, and ${swarmd}`
    : `${swarmd}, and ${its} ${kernels} probably ${have} no IPVS, as this manager's`;
}

async function takenWarnings(
  view: View,
  knowledge: MeshKnowledge,
  ports: readonly PortConfig[],
): Promise<readonly string[]> {
  const asked = ports.filter(({ publishedPort }) => publishedPort !== 0);
  const taken = await knowledge.taken(
    asked.map(({ protocol, publishedPort }) => ({ protocol, published: publishedPort })),
  );
  const together = Map.groupBy(taken, (one) => `${refText(one)} ${one.by}`);
  return [...together.values()].flatMap((where) => {
    const [first] = where;
    const nodes = where.map(({ nodeId }) => view.get('node', nodeId)).filter((node) => node !== undefined);
    if (!first || nodes.length === 0) return [];
    return [
      `Published port ${refText(first)} will not be answered by ${nodesText(nodes)}: ` +
        `${first.by || 'something else'} listens there already; stop that, or publish another port.`,
    ];
  });
}

function refText({ published, protocol }: MeshPortRef): string {
  return `${published}/${protocol}`;
}

/** A port that the swarm is to choose is known by its target. */
function portText({ protocol, publishedPort, targetPort }: PortConfig): string {
  if (publishedPort === 0) return `for ${targetPort}/${protocol}`;
  return refText({ published: publishedPort, protocol });
}

function nodesText(nodes: readonly Node[]): string {
  const names = nodes.map(({ id, description }) => description?.hostname || id);
  return `${nodes.length === 1 ? 'node' : 'nodes'} ${handful(names)}`;
}
