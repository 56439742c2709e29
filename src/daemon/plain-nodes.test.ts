import { beforeEach, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import type { BalancerReport, Node, Service } from '../model/index.ts';
import { memoryBackend, openStore, type Store } from '../store/index.ts';
import { PlainNodes } from './plain-nodes.ts';
import type { ProbeResult } from './tcp-probe.ts';

let store: Store;
let nowMs = 0;
/** Where somebody balances by swarmd. */
let reports: Map<string, BalancerReport>;
let ipvs = false;
/** By address; all others refuse. */
let answers: Map<string, ProbeResult>;
let probed: string[];

const REPORT: BalancerReport = {
  ...{ version: 1, mode: 'nftables', problems: [], takenPorts: [], keepsClients: [] },
};

beforeEach(async () => {
  nowMs = 0;
  ipvs = false;
  probed = [];
  reports = new Map([['own', REPORT]]);
  answers = new Map([['10.0.0.1', 'accepted']]);
  store = await openStore(memoryBackend(), {
    nowMs: () => 0,
    onFault: (error) => {
      throw error;
    },
  });
  await putNode('own', '10.0.0.1');
  await putNode('plain', '10.0.0.2');
  return () => store.close();
});

async function putNode(id: string, addr: string): Promise<void> {
  await store.update((tx) =>
    tx.create('node', {
      id,
      spec: { annotations: { name: '', labels: {} }, role: 'worker', availability: 'active' },
      role: 'worker',
      status: { state: 'ready', message: '', addr },
      certificate: { csrPem: '', certPem: '', state: 'issued' },
      attachments: [],
    }),
  );
}

/** A service that publishes this port, with a task that runs since the beginning. */
async function putService(publishedPort: number): Promise<void> {
  const annotations = { name: `s${publishedPort}`, labels: {} };
  const ports: Service['spec']['endpoint'] = {
    mode: 'vip',
    ports: [{ name: '', protocol: 'tcp', targetPort: 80, publishedPort, publishMode: 'ingress' }],
  };
  await store.update((tx) => {
    const service = tx.create('service', {
      id: annotations.name,
      spec: {
        annotations,
        task: { networks: [], forceUpdate: 0 },
        mode: { kind: 'replicated', replicas: 1 },
        endpoint: ports,
      },
      specVersion: tx.nextVersion,
      endpoint: { spec: ports, ports: ports.ports, virtualIps: [] },
    });
    tx.create('task', {
      id: `t${publishedPort}`,
      serviceId: service.id,
      slot: 1,
      nodeId: 'own',
      annotations: { name: '', labels: {} },
      serviceAnnotations: annotations,
      spec: service.spec.task,
      specVersion: 0,
      status: {
        ...{ state: 'running', timestampMs: 0, message: '', err: '', ports: [] },
        ...{ appliedBy: '', appliedAtMs: 0 },
      },
      desiredState: 'running',
      networks: [],
      assignedGenericResources: [],
    });
  });
}

/** Runs it for that long on a clock of its own; `at` is called at each look, with the time. */
async function runFor(
  nodes: PlainNodes,
  ms: number,
  at: (nowMs: number) => void | Promise<void> = () => undefined,
) {
  const stop = new AbortController();
  const endMs = nowMs + ms;
  pauses = async (waitMs) => {
    nowMs += waitMs;
    await at(nowMs);
    if (nowMs >= endMs) stop.abort();
  };
  await nodes.run(stop.signal);
}

let pauses: (ms: number) => Promise<void>;

function plainNodes(parts: Partial<ConstructorParameters<typeof PlainNodes>[0]> = {}): PlainNodes {
  return new PlainNodes({
    store,
    own: { nodeId: 'own', host: '10.0.0.1' },
    reportOf: (nodeId) => reports.get(nodeId),
    hasIpvs: () => ipvs,
    ownerOf: () => Promise.resolve(undefined),
    probe: (host, port) => {
      probed.push(`${host}:${port}`);
      return Promise.resolve(answers.get(host) ?? 'refused');
    },
    times: { nowMs: () => nowMs, wallMs: () => nowMs, pause: (ms) => pauses(ms) },
    log: createLog('fatal'),
    ...parts,
  });
}

/** How often the plain node was probed. */
const tries = (): number => probed.filter((one) => one.startsWith('10.0.0.2:')).length;

test('what a node says of itself counts', () => {
  const nodes = plainNodes();
  expect(nodes.balancing('own')).toBe('nftables');
  reports.set('plain', { ...REPORT, mode: 'none' });
  expect(nodes.balancing('plain')).toBe('none');
  expect(nodes.balancing('nobody')).toBe('unknown');
});

test('without a probe: likely by the kernel of this host, but not at once', async () => {
  const nodes = plainNodes();
  expect(nodes.balancing('plain')).toBe('unknown');
  await runFor(nodes, 60_000);
  expect(probed).toEqual([]);
  expect(nodes.balancing('plain')).toBe('unlikely');
  ipvs = true;
  expect(nodes.balancing('plain')).toBe('unknown');
});

test('who asks of nodes that have just come waits until they have said who balances, or had their time', async () => {
  const nodes = plainNodes();
  pauses = (ms) => {
    nowMs += ms;
    if (nowMs === 1_000) reports.set('plain', REPORT);
    return Promise.resolve();
  };
  await nodes.settled();
  expect([nowMs, nodes.balancing('plain')]).toEqual([1_000, 'nftables']);
  reports.delete('plain');
  await nodes.settled();
  expect([nowMs, nodes.balancing('plain')]).toEqual([3_000, 'unlikely']);
  await nodes.settled();
  expect(nowMs).toBe(3_000);
});

test('a node that refuses what this host answers does not balance', async () => {
  await putService(8080);
  const nodes = plainNodes();
  await runFor(nodes, 30_000);
  expect(nodes.balancing('plain')).toBe('none');
  expect(probed).toEqual(['10.0.0.1:8080', '10.0.0.2:8080']);
});

test('one that answers balances by its engine', async () => {
  answers.set('10.0.0.2', 'accepted');
  await putService(8080);
  const nodes = plainNodes();
  await runFor(nodes, 30_000);
  expect(nodes.balancing('plain')).toBe('engine');
});

test('where the kernel here has IPVS one refusal is not enough, and silence never is', async () => {
  ipvs = true;
  await putService(8080);
  const nodes = plainNodes();
  await runFor(nodes, 30_000);
  expect(tries()).toBe(1);
  expect(nodes.balancing('plain')).toBe('unknown');
  await runFor(nodes, 70_000);
  expect(tries()).toBe(2);
  expect(nodes.balancing('plain')).toBe('none');

  ipvs = false;
  answers.set('10.0.0.2', 'silent');
  const others = plainNodes();
  await runFor(others, 30_000);
  expect(others.balancing('plain')).toBe('unlikely');
  await runFor(others, 70_000);
  expect(others.balancing('plain')).toBe('none');
});

test('nothing is concluded where nobody answers that port', async () => {
  answers.delete('10.0.0.1');
  await putService(8080);
  const nodes = plainNodes();
  await runFor(nodes, 600_000);
  expect(tries()).toBe(0);
  expect(nodes.balancing('plain')).toBe('unlikely');
  // Tried later and later, once a minute in the end.
  expect(probed.length).toBeLessThan(20);
});

test('a node is probed once a minute at most, and rarely when it is known', async () => {
  answers.set('10.0.0.2', 'unsure');
  await putService(8080);
  const nodes = plainNodes();
  await runFor(nodes, 600_000);
  expect(tries()).toBeGreaterThan(5);
  expect(tries()).toBeLessThanOrEqual(10);
  answers.set('10.0.0.2', 'refused');
  await runFor(nodes, 120_000);
  const before = [...probed];
  await runFor(nodes, 3 * 60 * 60 * 1000);
  expect(probed).toEqual(before);
});

test('an engine that comes back is not known any more', async () => {
  await putService(8080);
  const nodes = plainNodes();
  let atEnd: string[] = [];
  await runFor(nodes, 90_000, async (ms) => {
    if (ms === 40_000) await setState('down');
    if (ms === 45_000) await setState('ready');
    if (ms === 45_000) atEnd = [nodes.balancing('plain')];
  });
  expect(atEnd).toEqual(['unknown']);
  expect(nodes.balancing('plain')).toBe('none');
  expect(tries()).toBe(2);
});

async function setState(state: Node['status']['state']): Promise<void> {
  await store.update((tx) => {
    const node = tx.get('node', 'plain');
    if (node) tx.update('node', { ...node, status: { ...node.status, state } });
  });
}

test('addresses behind which somebody else may answer are left alone', async () => {
  await putService(8080);
  await putNode('twin', '10.0.0.2');
  await putNode('loop', '127.0.0.1');
  await putNode('same', '10.0.0.1');
  await putNode('none', '');
  await runFor(plainNodes(), 60_000);
  expect(probed).toEqual([]);
});

test('rules stay where swarmd has gone', async () => {
  reports.set('plain', REPORT);
  const nodes = plainNodes();
  await runFor(nodes, 30_000);
  reports.delete('plain');
  await putService(8080);
  answers.set('10.0.0.2', 'accepted');
  await runFor(nodes, 30_000);
  expect(nodes.balancing('plain')).toBe('nftables');
  answers.set('10.0.0.2', 'refused');
  await runFor(nodes, 7 * 60 * 60 * 1000);
  expect(nodes.balancing('plain')).toBe('none');
});

test('ports that something else listens on', async () => {
  const ports = [
    { protocol: 'tcp', published: 80 },
    { protocol: 'udp', published: 53 },
  ] as const;
  reports.set('plain', { ...REPORT, takenPorts: [ports[1]] });
  const ownerOf: (port: { published: number }) => Promise<string | undefined> = ({ published }) =>
    Promise.resolve(published === 80 ? 'nginx (process 8)' : undefined);
  expect(await plainNodes({ ownerOf }).taken(ports)).toEqual([
    { protocol: 'tcp', published: 80, nodeId: 'own', by: 'nginx (process 8)' },
    { protocol: 'udp', published: 53, nodeId: 'plain', by: '' },
  ]);
  const failing = { ownerOf: () => Promise.reject(new Error('no /proc')) };
  expect(await plainNodes(failing).taken(ports)).toHaveLength(1);
});
