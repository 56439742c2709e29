import { beforeEach, expect, test } from 'vitest';
import { SwarmError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { BalancerReport, DoctorFinding, Service } from '../../model/index.ts';
import type { Store } from '../../store/index.ts';
import type { Balancing } from '../mesh-knowledge.ts';
import { sampleNode } from '../testing/sample-node.ts';
import { diagnose, type Question } from './diagnose.ts';
import { ok } from './finding.ts';
import { onNetwork, putNode, putService, putTask, storeWithNetworks } from './testing.ts';
import type { Diagnosis, NodeBalancers } from './types.ts';

let store: Store;
let service: Service;
beforeEach(async () => {
  store = await storeWithNetworks();
  for (const name of ['host10', 'host2', 'host1']) await putNode(store, name);
  service = await putService(store);
  await putTask(store, service, 1, 'host1');
  await putTask(store, service, 2, 'host2');
  return () => store.close();
});

const report = (parts: Partial<BalancerReport> = {}): BalancerReport => ({
  ...{ version: 1, mode: 'nftables', problems: [], takenPorts: [], keepsClients: [] },
  ...parts,
});
const RULES = ok('rules of back', 'in force');

/** Balancers on all nodes, with what differs. */
function balancers(
  parts: {
    reports?: Readonly<Record<string, BalancerReport | undefined>>;
    ask?: (nodeId: string) => Promise<readonly DoctorFinding[]>;
  } = {},
): NodeBalancers {
  const { reports = {}, ask = () => Promise.resolve([RULES]) } = parts;
  const reportOf = (nodeId: string) => (Object.hasOwn(reports, nodeId) ? reports[nodeId] : report());
  return {
    reportOf,
    ask: (nodeId) => (reportOf(nodeId) ? ask(nodeId) : Promise.resolve(undefined)),
  };
}

function examine(
  nodes: NodeBalancers,
  question: Partial<Question> = { service },
  balancing: Balancing = 'unknown',
): Promise<Diagnosis> {
  const knowledge = {
    balancing: () => balancing,
    settled: () => Promise.resolve(),
    taken: () => Promise.resolve([]),
  };
  const context = { view: store.view, balancers: nodes, knowledge };
  return diagnose(context, { hostAddresses: [], ...question }, new AbortController().signal);
}

const lines = ({ nodes }: Diagnosis): string[] =>
  nodes.flatMap(({ hostname, findings }) =>
    findings.map(({ verdict, text }) => `${hostname} ${verdict}: ${text}`),
  );

test('every node is asked, and named in order', async () => {
  const diagnosis = await examine(balancers());
  expect(lines(diagnosis)).toEqual(['host1 ok: in force', 'host2 ok: in force', 'host10 ok: in force']);
  expect(diagnosis.nodes[0]).toMatchObject({ balancing: 'nftables', state: 'ready', availability: 'active' });
  expect(diagnosis.service?.name).toBe('web');
  expect(diagnosis.findings).toEqual([ok('tasks', '2 of 2 serve')]);
});

test('without a service, and for one node', async () => {
  const node = store.view.get('node', 'host2');
  const diagnosis = await examine(balancers(), node ? { node } : {});
  expect(diagnosis).toMatchObject({ findings: [], nodes: [{ id: 'host2' }] });
  expect(diagnosis.service).toBeUndefined();
});

test('a service without a published port concerns the nodes on its networks', async () => {
  await putNode(store, 'away', { attachments: [onNetwork('n0', '10.0.0.9/24')] });
  const inner = await putService(store, 'inner', { endpoint: { mode: 'vip', ports: [] } }, false);
  const endpoint = {
    spec: { mode: 'vip', ports: [] },
    ports: [],
    virtualIps: [{ networkId: 'n1', addr: '10.0.1.6/24' }],
  } as const;
  await store.update((tx) => tx.update('service', { ...inner, endpoint }));
  const found = store.view.get('service', inner.id);
  const { nodes } = await examine(balancers(), found ? { service: found } : {});
  expect(nodes.map(({ id }) => id)).toEqual(['host1', 'host2', 'host10']);
});

test('a node that is down is not asked', async () => {
  await putNode(store, 'host3', { status: { state: 'down', message: 'heartbeat failure', addr: '' } });
  const asked: string[] = [];
  const ask = (nodeId: string) => {
    asked.push(nodeId);
    return Promise.resolve([]);
  };
  expect(lines(await examine(balancers({ ask })))).toEqual([
    'host3 fault: It is down (heartbeat failure): nothing there answers',
  ]);
  expect(asked).not.toContain('host3');
});

test('one that does not answer, or fails, is a fault of that node alone', async () => {
  const ask = (nodeId: string) => {
    if (nodeId === 'host1') return Promise.reject(new SwarmError('timeout', 'x'));
    if (nodeId === 'host2') return Promise.reject(new SwarmError('unavailable', 'too many questions'));
    return Promise.resolve([RULES]);
  };
  expect(lines(await examine(balancers({ ask })))).toEqual([
    'host1 fault: swarmd there did not answer within 8 s: what follows from it is not known',
    'host2 fault: swarmd there could not be asked: too many questions: what follows from it is not known',
    'host10 ok: in force',
  ]);
});

test('nodes are called by their names in what a node found', async () => {
  const id = newId();
  const { description } = sampleNode('x');
  if (description) await putNode(store, id, { description: { ...description, hostname: 'far' } });
  const other = newId();
  const ask = () => Promise.resolve([ok(`path to node ${id} on back`, `${other} is not known`)]);
  const node = store.view.get('node', 'host1');
  const { nodes } = await examine(balancers({ ask }), node ? { node } : {});
  expect(nodes[0]?.findings).toEqual([ok('path to node far on back', `${other} is not known`)]);
});

test('what a node said of itself, once', async () => {
  const takenPorts = [
    { protocol: 'tcp', published: 8080 },
    { protocol: 'tcp', published: 9090 },
  ] as const;
  const reports = {
    host1: report({ problems: ['nft is missing', 'conntrack is missing'] }),
    host2: report({ takenPorts }),
  };
  const ask = () => Promise.resolve([{ ...RULES, text: 'conntrack is missing: connections stay' }]);
  expect(lines(await examine(balancers({ reports, ask })))).toEqual([
    'host1 fault: nft is missing',
    'host1 ok: conntrack is missing: connections stay',
    'host2 fault: Something on the host listens there already, and the mesh leaves it alone: stop that, or publish another port',
    'host2 ok: conntrack is missing: connections stay',
    'host10 ok: conntrack is missing: connections stay',
  ]);
});

test.each([
  ['none', 'fault', /no IPVS: virtual IPs and published ports do not answer\. Run swarmd/],
  ['unlikely', 'warning', /probably has no IPVS/],
  ['unknown', 'warning', /answer if its kernel has IPVS/],
  ['engine', 'ok', /was seen to answer/],
  ['nftables', 'warning', /is not connected now/],
] as const)('a node without a balancer: %s', async (balancing, verdict, words) => {
  const nodes = balancers({ reports: { host10: undefined } });
  const { nodes: found } = await examine(nodes, { service }, balancing);
  expect(found[2]).toMatchObject({
    balancing,
    findings: [{ verdict, text: expect.stringMatching(words) as string }],
  });
});

test("only swarmd's own balancing shows tasks their clients' addresses", async () => {
  const { spec } = service;
  const labels = { 'skep.mesh.keep-client-address': 'true' };
  await store.update((tx) =>
    tx.update('service', { ...service, spec: { ...spec, annotations: { ...spec.annotations, labels } } }),
  );
  service = store.view.get('service', service.id) ?? service;
  await putTask(store, service, 3, 'host10');
  const reports = {
    host1: report({ keepsClients: ['t1'] }),
    host2: report({ mode: 'engine' }),
    host10: undefined,
  };
  const found = async (more: typeof reports): Promise<string[]> =>
    lines(await examine(balancers({ reports: more }), { service }, 'none')).filter((one) =>
      /clients|shown|see them/.test(one),
    );
  expect(await found(reports)).toEqual([
    'host2 warning: web.2 does not see them: swarmd does not balance there. Have it balanced by swarmd (--balancer nftables)',
    'host10 warning: web.3 does not see them: swarmd does not balance there. Run swarmd beside the engine there',
  ]);
  const unready = await found({ ...reports, host1: report() });
  expect(unready[0]).toBe(
    "host1 warning: web.1 can't be shown them yet: swarmd there has still to reach into the task's network",
  );
});

test('a plain node is enough for a service that needs no balancing', async () => {
  const quiet = await putService(store, 'quiet', { endpoint: { mode: 'dnsrr', ports: [] } }, false);
  await putTask(store, quiet, 3, 'host10');
  const nodes = balancers({ reports: { host10: undefined } });
  expect(lines(await examine(nodes, { service: quiet }, 'none'))).toEqual([
    'host10 ok: The service needs none',
  ]);
});

test('a node that lacks an address where its tasks are', async () => {
  await putNode(store, 'host3', { attachments: [] });
  await putTask(store, service, 3, 'host3');
  expect(lines(await examine(balancers()))).toContain(
    'host3 fault: The node has none on ingress and back, where it has tasks: see docker service ps for what is in the way',
  );
});
