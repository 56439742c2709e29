import { hasEnded, type BalancerReport, type DoctorFinding, type Node } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { handful } from '../handful.ts';
import type { Balancing } from '../mesh-knowledge.ts';
import { networkName, serves } from './expected.ts';
import { fault, ok, warning } from './finding.ts';
import type { ExpectedService } from './types.ts';

const WHAT_TO_DO = 'Run swarmd beside the engine there';

/** What the manager knows of a node; its own balancer says the rest. */
export function nodeFindings(
  view: View,
  node: Node,
  balancing: Balancing,
  report: BalancerReport | undefined,
  service?: ExpectedService,
): readonly DoctorFinding[] {
  return [
    ...stateFindings(node),
    ...(report ? reportFindings(report, service) : plainFindings(balancing, service)),
    ...(service ? clientFindings(node, balancing, report, service) : []),
    ...attachmentFindings(view, node),
  ];
}

function stateFindings({ status: { state, message } }: Node): DoctorFinding[] {
  const why = message === '' ? '' : ` (${message})`;
  if (state === 'down') return [fault('node', `It is down${why}: nothing there answers`)];
  if (state === 'ready') return [];
  return [warning('node', `Its state is ${state}${why}: its engine is not connected now`)];
}

function reportFindings(
  { problems, takenPorts, mode }: BalancerReport,
  service: ExpectedService | undefined,
): DoctorFinding[] {
  const found = problems.map((text) => fault('balancer', text));
  if (mode === 'none' && problems.length === 0)
    found.push(
      fault('balancer', `Neither its engine nor swarmd balances there. ${WHAT_TO_DO} with --balancer auto`),
    );
  const taken = takenPorts.filter(
    (port) =>
      !service ||
      service.ports.some((own) => own.protocol === port.protocol && own.publishedPort === port.published),
  );
  for (const { protocol, published } of taken)
    found.push(
      fault(
        `port ${published}/${protocol}`,
        'Something on the host listens there already, and the mesh leaves it alone: stop that, or publish another port',
      ),
    );
  return found;
}

function plainFindings(balancing: Balancing, service: ExpectedService | undefined): DoctorFinding[] {
  const lost = service ? lostOn(service) : 'virtual IPs and published ports';
  if (lost === '') return [ok('balancer', 'The service needs none')];
  switch (balancing) {
    case 'engine':
      return [ok('balancer', 'No swarmd runs there; its engine was seen to answer a published port')];
    case 'none':
      return [
        fault(
          'balancer',
          `No swarmd runs there and its kernel has no IPVS: ${lost} do not answer. ${WHAT_TO_DO}`,
        ),
      ];
    case 'unlikely':
      return [
        warning(
          'balancer',
          `No swarmd is heard of there, and its kernel probably has no IPVS, as this manager's: then ${lost} do not answer. ${WHAT_TO_DO}`,
        ),
      ];
    case 'nftables':
      return [
        warning('balancer', 'swarmd there is not connected now; what it has put into the kernel stays'),
      ];
    case 'unknown':
      return [warning('balancer', `No swarmd there can be asked: ${lost} answer if its kernel has IPVS`)];
  }
}

/** Of a service whose tasks are to see their clients' addresses. Only swarmd's own balancing keeps those. */
function clientFindings(
  { id }: Node,
  balancing: Balancing,
  report: BalancerReport | undefined,
  service: ExpectedService,
): DoctorFinding[] {
  const subject = "clients' addresses";
  const tasks = service.tasks.filter((task) => task.nodeId === id && serves(task));
  if (!service.keepsClients || (tasks.length === 0 && balancing !== 'engine')) return [];
  if (balancing !== 'nftables') {
    const lost =
      tasks.length > 0
        ? `${handful(tasks.map(({ name }) => name))} ${tasks.length === 1 ? 'does' : 'do'} not see them`
        : 'Those of clients that come in here are not kept';
    const what = report ? 'Have it balanced by swarmd (--balancer nftables)' : WHAT_TO_DO;
    return [warning(subject, `${lost}: swarmd does not balance there. ${what}`)];
  }
  const unready = tasks.filter((task) => report && !report.keepsClients.includes(task.id));
  if (unready.length === 0) return [];
  const names = handful(unready.map(({ name }) => name));
  return [
    warning(
      subject,
      `${names} can't be shown them yet: swarmd there has still to reach into the task's network`,
    ),
  ];
}

/** What of a service answers nowhere without a balancer. */
function lostOn({ virtualIps, ports }: ExpectedService): string {
  const published = ports.some(({ publishMode }) => publishMode === 'ingress');
  const inside = virtualIps.some(({ address }) => address !== '');
  if (published) return inside ? 'virtual IPs and published ports' : 'published ports';
  return inside ? 'virtual IPs' : '';
}

/** Networks on which a node's tasks have addresses and the node has none. */
function attachmentFindings(view: View, { id, attachments }: Node): DoctorFinding[] {
  const has = new Set(
    attachments.filter(({ addresses }) => addresses.length > 0).map((one) => one.networkId),
  );
  const missing = new Set<string>();
  for (const { status, networks } of view.tasksOfNode(id)) {
    if (hasEnded(status.state)) continue;
    for (const { networkId, addresses } of networks)
      if (addresses.length > 0 && !has.has(networkId)) missing.add(networkId);
  }
  if (missing.size === 0) return [];
  const names = handful([...missing].map((one) => networkName(view, one)));
  return [
    fault(
      'addresses',
      `The node has none on ${names}, where it has tasks: see docker service ps for what is in the way`,
    ),
  ];
}
