import { isPredefined } from '../../allocator/index.ts';
import { MESH_CLIENT_LABEL, type DoctorFinding, type Service, type Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { handful } from '../handful.ts';
import { isJob } from '../validate/service.ts';
import { isWanted, networkName, serves } from './expected.ts';
import { count, fault, ok, warning } from './finding.ts';
import type { ExpectedService, ExpectedTask } from './types.ts';

/** What the manager's own state says of a service: addresses that are missing, tasks that do not answer. */
export function serviceFindings(
  view: View,
  service: Service,
  expected: ExpectedService,
): readonly DoctorFinding[] {
  const networks = service.spec.task.networks
    .map(({ target }) => view.get('network', target))
    .filter((network) => network !== undefined && !network.spec.nodeLocal && !isPredefined(network));
  const published = expected.ports.filter(({ publishMode }) => publishMode === 'ingress');
  if (networks.length === 0 && published.length === 0)
    return [ok('addresses', 'It is on no overlay network and publishes nothing by the mesh: none is needed')];
  return [
    ...addressFindings(view, service, expected),
    ...clientFindings(service, published.length > 0),
    ...(isJob(service.spec) ? [] : taskFindings(view, service, expected)),
    ...expected.tasks.filter(serves).flatMap((task) => addresslessOf(view, service, expected, task)),
  ];
}

function addressFindings(view: View, { spec }: Service, expected: ExpectedService): DoctorFinding[] {
  const found: DoctorFinding[] = [];
  const open = expected.ports.filter(
    ({ publishMode, publishedPort }) => publishMode === 'ingress' && publishedPort === 0,
  );
  if (open.length > 0)
    found.push(
      fault('published ports', `${count(open.length, 'port')} got no number yet: see docker service ps`),
    );
  if (expected.mode === 'dnsrr')
    return [
      ...found,
      ok('virtual IPs', "It has none (--endpoint-mode dnsrr): its name gives its tasks' addresses"),
    ];
  const missing = spec.task.networks
    .map(({ target }) => target)
    .filter((id) => {
      const network = view.get('network', id);
      return network && !network.spec.nodeLocal && !isPredefined(network) && !hasAddress(expected, id);
    });
  if (missing.length > 0) {
    const names = handful(missing.map((id) => networkName(view, id)));
    found.push(
      fault('virtual IPs', `It has none on ${names} yet: see docker service ps for what is in the way`),
    );
  }
  return found;
}

function hasAddress({ virtualIps }: ExpectedService, id: string): boolean {
  return virtualIps.some(({ networkId, address }) => networkId === id && address !== '');
}

function clientFindings({ spec }: Service, publishes: boolean): DoctorFinding[] {
  const { labels } = spec.annotations;
  const value = Object.hasOwn(labels, MESH_CLIENT_LABEL) ? labels[MESH_CLIENT_LABEL] : undefined;
  if (value === undefined) return [];
  if (value !== 'true' && value !== 'false')
    return [
      warning(
        "clients' addresses",
        `The label ${MESH_CLIENT_LABEL} is neither true nor false: it does nothing`,
      ),
    ];
  if (value === 'true' && !publishes)
    return [
      warning(
        "clients' addresses",
        `The label ${MESH_CLIENT_LABEL} does nothing: no port is published by the mesh`,
      ),
    ];
  return [];
}

function taskFindings(view: View, service: Service, { tasks }: ExpectedService): DoctorFinding[] {
  const { mode } = service.spec;
  const wanted = mode.kind === 'replicated' ? mode.replicas : tasks.filter(isWanted).length;
  if (mode.kind === 'replicated' && wanted === 0)
    return [ok('tasks', 'None is wanted: connections are refused at once')];
  const serving = tasks.filter(serves);
  const away = serving.filter(({ nodeId }) => view.get('node', nodeId)?.status.state === 'down');
  const left = serving.length - away.length;
  const why = left < wanted ? reasonOf(view, service) : '';
  const said = why === '' ? '' : `; last said: ${why}`;
  if (left === 0) return [fault('tasks', `None of ${wanted} serves, so connections are refused${said}`)];
  const found =
    left < wanted
      ? [warning('tasks', `${left} of ${wanted} serve${left === 1 ? 's' : ''}${said}`)]
      : [ok('tasks', `${left} of ${wanted} serve${left === 1 ? 's' : ''}`)];
  if (away.length > 0) {
    const nodes = [...new Set(away.map(({ node }) => node))];
    found.push(warning('tasks', `${count(away.length, 'task')} on ${handful(nodes)} not counted: down`));
  }
  return found;
}

/** What the newest task that does not run says of itself. */
function reasonOf(view: View, { id }: Service): string {
  let newest: Task | undefined;
  for (const task of view.tasksOfService(id)) {
    if (task.status.err === '') continue;
    if (!newest || task.status.timestampMs > newest.status.timestampMs) newest = task;
  }
  return newest?.status.err ?? '';
}

/** A task that runs without an address where its service is to be found gets nothing. */
function addresslessOf(
  view: View,
  { spec }: Service,
  { virtualIps }: ExpectedService,
  { name, node, nodeId, addresses }: ExpectedTask,
): DoctorFinding[] {
  const networks = new Set([
    ...virtualIps.map(({ networkId }) => networkId),
    ...spec.task.networks.map(({ target }) => target),
  ]);
  const found: DoctorFinding[] = [];
  for (const id of networks) {
    const network = view.get('network', id);
    if (!network || network.spec.nodeLocal || isPredefined(network)) continue;
    const subject = `${name} on ${node}`;
    if (!addresses.some(({ networkId }) => networkId === id))
      found.push(
        fault(
          subject,
          `It runs without an address on ${networkName(view, id)} and gets nothing from there: a newer task will`,
        ),
      );
    else if (!view.get('node', nodeId)?.attachments.some(({ networkId }) => networkId === id))
      found.push(
        fault(subject, `Its node has no address on ${networkName(view, id)}, so nothing balances there`),
      );
  }
  return found;
}
