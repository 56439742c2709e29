import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeNode } from '../../src/ca/index.ts';
import { createDispatcher, type Dispatcher } from '../../src/dispatcher/index.ts';
import { startTestSwarm, type TestSwarm } from '../agents/index.ts';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';

let hosts: Hosts;
let swarm: TestSwarm;
let dispatcher: Dispatcher;
let running: Promise<void>;
const stopping = new AbortController();

beforeAll(async () => {
  hosts = await startHosts({ count: 2, engine: ['20.10', '28.5'], images: false });
  const host = hosts.at(0).ip.replace(/\d+$/, '1');
  swarm = await startTestSwarm({
    host,
    routes: (router, context) => {
      dispatcher ??= createDispatcher(context, {
        managerId: 'manager0',
        managers: () => [{ nodeId: 'manager0', addr: swarm.addr }],
      });
      dispatcher.routes(router);
    },
  });
  running = dispatcher.run(stopping.signal);
});

afterAll(async () => {
  stopping.abort();
  await running;
  await swarm.close();
  await hosts.close();
});

const join = (host: Host, token: string) => host.tryDocker('swarm', 'join', '--token', token, swarm.addr);

async function swarmOf(host: Host): Promise<{ id: string; state: string }> {
  const [id = '', state = ''] = (
    await host.docker('info', '--format', '{{.Swarm.NodeID}} {{.Swarm.LocalNodeState}}')
  ).split(' ');
  return { id, state };
}

/** Refused first, in words that reach whoever typed it; then let in with the worker token. */
async function refusedThenJoined(host: Host, badToken: string, words: RegExp): Promise<string> {
  const refused = await join(host, badToken);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(words);
  expect(swarm.store.view.count('node')).toBeLessThan(2);
  // What a refused join leaves behind, Docker's own managers make one clear away too.
  await host.tryDocker('swarm', 'leave', '--force');
  const joined = await join(host, swarm.workerToken());
  expect(joined).toMatchObject({ code: 0 });
  expect(joined.stdout).toContain('This node joined a swarm as a worker.');
  const { id, state } = await swarmOf(host);
  expect(state).toBe('active');
  expect(swarm.node(id).spec.availability).toBe('active');
  await until(`${host.name}: its session`, 10_000, () => dispatcher.connected(id) || undefined);
  return id;
}

let nodes: readonly [string, string];

test('stock engines are refused in words, and join with the worker token', async () => {
  const { worker, manager } = swarm.cluster().rootCa.joinTokens;
  const wrong = `${worker.slice(0, -1)}${worker.endsWith('z') ? 'a' : 'z'}`;
  nodes = await Promise.all([
    refusedThenJoined(hosts.at(0), manager, /docker -H unix:\/\/\/run\/swarmd\.sock swarm join/),
    refusedThenJoined(hosts.at(1), wrong, /A valid join token is necessary to join this cluster/),
  ]);
  expect(swarm.store.view.count('node')).toBe(2);
});

test('engines that renewed their certificates come back over new connections', async () => {
  const before = nodes.map((id) => swarm.node(id).certificate.certPem);
  await swarm.store.update((tx) => {
    for (const id of nodes) {
      const node = swarm.node(id);
      tx.update('node', { ...node, certificate: { ...node.certificate, state: 'rotate' } });
    }
  });
  await until('both renewed', 15_000, () => {
    const now = nodes.map((id) => swarm.node(id).certificate);
    return now.every(({ state, certPem }, at) => state === 'issued' && certPem !== before[at]) || undefined;
  });
  const connected = (): boolean[] => nodes.map((id) => dispatcher.connected(id));
  await swarm.reopenPort(() =>
    until('both gone', 15_000, () => (connected().includes(true) ? undefined : true)),
  );
  await until('both back', 20_000, () => (connected().includes(false) ? undefined : true));
});

test('a removed node stays out, and is told so', async () => {
  const [id] = nodes;
  await swarm.store.update((tx) => removeNode(tx, id, Date.now()));
  await swarm.reopenPort();
  const words = `node ${id} was removed from swarm`;
  await until('the refusal', 20_000, () => hosts.at(0).log.includes(words) || undefined);
  expect(dispatcher.connected(id)).toBe(false);
  expect(swarm.store.view.get('node', id)).toBeUndefined();
});
