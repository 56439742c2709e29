import { eachLimited, orAborted } from '../../base/async.ts';
import { messageOf, SwarmError } from '../../base/errors.ts';
import type { DoctorFinding, Node, Service } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { expectedService, nodeName } from './expected.ts';
import { fault } from './finding.ts';
import { networkFindings, type HostAddress } from './network-findings.ts';
import { nodeFindings } from './node-findings.ts';
import { serviceFindings } from './service-findings.ts';
import type { Diagnosis, DoctorContext, ExpectedService, NodeDiagnosis } from './types.ts';

/** How long one node may take to answer; its balancer gives up sooner, and says so. */
const ANSWER_MS = 8_000;
const MOST_AT_ONCE = 256;

export interface Question {
  readonly service?: Service;
  /** The only one to be looked at; all that are concerned where it is absent. */
  readonly node?: Node;
  /** Of this manager's host. */
  readonly hostAddresses: readonly HostAddress[];
}

/** Looks at the state, and has the nodes look at themselves. Rejects only when the signal fires. */
export async function diagnose(
  context: DoctorContext,
  { service, node, hostAddresses }: Question,
  signal: AbortSignal,
): Promise<Diagnosis> {
  const { view } = context;
  const expected = service && expectedService(view, service);
  const findings = [
    ...(service && expected ? serviceFindings(view, service, expected) : []),
    ...networkFindings(view.all('network'), hostAddresses),
  ];
  const nodes = node ? [node] : concerned(view, expected);
  const diagnosed = new Map<string, NodeDiagnosis>();
  await eachLimited(nodes, MOST_AT_ONCE, async (one) => {
    diagnosed.set(one.id, await diagnoseNode(context, one, expected, signal));
  });
  signal.throwIfAborted();
  return {
    ...(expected ? { service: expected } : {}),
    findings,
    nodes: nodes.flatMap(({ id }) => diagnosed.get(id) ?? []),
  };
}

/** By hostname. A published port is every node's; a virtual IP is that of nodes which are on its network. */
function concerned(view: View, service: ExpectedService | undefined): Node[] {
  const networks = new Set(service?.virtualIps.map(({ networkId }) => networkId));
  const hosts = new Set(service?.tasks.map(({ nodeId }) => nodeId));
  const everywhere = !service || service.ports.some(({ publishMode }) => publishMode === 'ingress');
  const chosen = [...view.all('node')].filter(
    ({ id, attachments }) =>
      everywhere || hosts.has(id) || attachments.some(({ networkId }) => networks.has(networkId)),
  );
  return chosen.sort((a, b) =>
    nodeName(view, a.id).localeCompare(nodeName(view, b.id), 'en', { numeric: true }),
  );
}

async function diagnoseNode(
  { view, balancers, knowledge }: DoctorContext,
  node: Node,
  service: ExpectedService | undefined,
  signal: AbortSignal,
): Promise<NodeDiagnosis> {
  const { id, status, spec } = node;
  const report = balancers.reportOf(id);
  const balancing = report?.mode ?? knowledge.balancing(id);
  const known = nodeFindings(view, node, balancing, report, service);
  const asked = status.state === 'down' ? [] : await answerOf(balancers, id, service?.id ?? '', signal);
  const answered = asked.map((finding) => withNames(view, finding));
  return {
    id,
    hostname: nodeName(view, id),
    state: status.state,
    availability: spec.availability,
    balancing,
    findings: [...known.filter((one) => !isSaidBy(answered, one)), ...answered],
  };
}

/** Nodes know one another by their ids alone. */
function withNames(view: View, { verdict, subject, text }: DoctorFinding): DoctorFinding {
  const named = (words: string): string => words.replace(/\b[0-9a-z]{25}\b/g, (id) => nodeName(view, id));
  return { verdict, subject: named(subject), text: named(text) };
}

/** What the node found by itself is said once. */
function isSaidBy(answered: readonly DoctorFinding[], { text }: DoctorFinding): boolean {
  return answered.some((one) => one.text.includes(text));
}

async function answerOf(
  balancers: DoctorContext['balancers'],
  nodeId: string,
  serviceId: string,
  signal: AbortSignal,
): Promise<readonly DoctorFinding[]> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    return (await orAborted(balancers.ask(nodeId, serviceId, patience), patience)) ?? [];
  } catch (error) {
    signal.throwIfAborted();
    const late = patience.aborted || (error instanceof SwarmError && error.code === 'timeout');
    const text = late
      ? `did not answer within ${ANSWER_MS / 1000} s`
      : `could not be asked: ${messageOf(error)}`;
    return [fault('balancer', `swarmd there ${text}: what follows from it is not known`)];
  }
}
