import { afterAll, beforeEach, expect, test } from 'vitest';
import { createCluster, issueManagerCertificate } from '../../ca/index.ts';
import type { Node } from '../../model/index.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';
import { sampleNode } from '../testing/sample-node.ts';

let api: ControlApi | undefined;
const cluster = await createCluster({}, Date.now());

/** Why no node is made a manager. */
let whyNoManager: () => Promise<string | undefined>;

async function swarm(): Promise<ControlApi> {
  whyNoManager = () => Promise.resolve('no swarmd is heard of there');
  await api?.[Symbol.asyncDispose]();
  const fresh = (api = await startControlApi({
    nodeId: 'self1',
    managers: {
      leaderId: 'self1',
      isThere: () => true,
      whyNoManager: () => whyNoManager(),
      whyKept: () => Promise.resolve(undefined),
    },
  }));
  const managed = sampleNode('self1', { role: 'manager', managerAddr: '10.0.0.1:2377' });
  await fresh.store.update((tx) => {
    tx.create('cluster', cluster);
    tx.create('node', { ...managed, spec: { ...managed.spec, role: 'manager' } });
    tx.create('node', sampleNode('work1'));
    tx.create('node', sampleNode('work2', { status: { state: 'down', message: 'silent', addr: '' } }));
  });
  return fresh;
}
beforeEach(async () => void (await swarm()));
afterAll(() => api?.[Symbol.asyncDispose]());

const call: ControlApi['call'] = (...args) => {
  if (!api) throw new Error('not started');
  return api.call(...args);
};
const ids = async (filters: object): Promise<string[]> => {
  const query = new URLSearchParams({ filters: JSON.stringify(filters) });
  const { value } = await call('GET', `/nodes?${query.toString()}`);
  return (value as { ID: string }[]).map(({ ID }) => ID).sort();
};

test('a node is shown as Docker shows it', async () => {
  const { value } = await call('GET', '/nodes/host-self1');
  expect(value).toMatchObject({
    ID: 'self1',
    Version: { Index: 1 },
    Spec: { Labels: {}, Role: 'manager', Availability: 'active' },
    Description: {
      Hostname: 'host-self1',
      Platform: { Architecture: 'x86_64', OS: 'linux' },
      Resources: {
        NanoCPUs: 2_000_000_000,
        MemoryBytes: 4096,
        GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 2 } }],
      },
      Engine: {
        EngineVersion: '20.10.24',
        Labels: { disk: 'ssd' },
        Plugins: [{ Type: 'Network', Name: 'overlay' }],
      },
      TLSInfo: { TrustRoot: 'PEM', CertIssuerSubject: 'MBM=', CertIssuerPublicKey: 'MFk=' },
    },
    Status: { State: 'ready', Addr: '10.0.0.2' },
    ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: '10.0.0.1:2377' },
  });
  const worker = (await call('GET', '/nodes/work2')).value;
  expect(worker).toMatchObject({ Status: { State: 'down', Message: 'silent' } });
  expect(worker).not.toHaveProperty('ManagerStatus');
  expect((await call('GET', '/nodes/self')).value).toMatchObject({ ID: 'self1' });
});

test('a node that is away says when its certificate has expired, and the way back', async () => {
  const of = async (nowMs: number) => {
    const { certPem } = await issueManagerCertificate(cluster, 'work2', nowMs);
    const down = sampleNode('work2', { status: { state: 'down', message: 'silent', addr: '' } });
    await api?.store.update((tx) => {
      const { meta } = tx.get('node', 'work2') ?? expect.fail('no node');
      tx.update('node', { ...down, meta, certificate: { ...down.certificate, certPem } });
    });
    return ((await call('GET', '/nodes/work2')).value as { Status: { Message: string } }).Status.Message;
  };
  expect(await of(Date.now())).toBe('silent');
  const words = await of(Date.now() - 91 * 24 * 3600_000);
  expect(words).toMatch(/^silent; its certificate has expired on 20\d\d-/);
  expect(words).toContain('docker swarm leave and docker swarm join');
});

test('filters choose', async () => {
  expect(await ids({})).toEqual(['self1', 'work1', 'work2']);
  expect(await ids({ id: ['work'] })).toEqual(['work1', 'work2']);
  expect(await ids({ name: ['host-s'] })).toEqual(['self1']);
  expect(await ids({ role: { manager: true } })).toEqual(['self1']);
  expect(await ids({ membership: ['accepted'] })).toHaveLength(3);
  expect(await ids({ membership: ['pending'] })).toEqual([]);
  expect(await ids({ label: ['disk=ssd'] })).toHaveLength(3);
  expect(await ids({ 'node.label': ['zone=a'] })).toEqual([]);
});

test('labels and availability are updated under the version that was read', async () => {
  const spec = '{"Role":"worker","Availability":"drain","Labels":{"zone":"a","__proto__":"x"}}';
  expect((await call('POST', '/nodes/work1/update?version=1', spec)).status).toBe(200);
  const { value } = await call('GET', '/nodes/work1');
  expect(value).toMatchObject({
    Spec: { Availability: 'drain', Labels: { zone: 'a' } },
    Version: { Index: 2 },
  });
  expect(await ids({ 'node.label': ['zone=a'] })).toEqual(['work1']);
  const late = await call('POST', '/nodes/work1/update?version=1', spec);
  expect(late).toMatchObject({
    status: 500,
    message: 'rpc error: code = Unknown desc = update out of sequence',
  });
});

test.each([
  ['what it says of itself', 200, (node: Node): Node => ({ ...node, status: { ...node.status, addr: '' } })],
  [
    'what another wishes of it',
    500,
    (node: Node): Node => ({ ...node, spec: { ...node.spec, availability: 'drain' } }),
  ],
])('while the host of a node is waited for, %s changes: %i', async (_, status, change) => {
  whyNoManager = async () => {
    await api?.store.update((tx) => {
      const node = tx.get('node', 'work1');
      if (node) tx.update('node', change(node));
    });
    return undefined;
  };
  const promoted = '{"Role":"manager","Availability":"active"}';
  expect((await call('POST', '/nodes/work1/update?version=1', promoted)).status).toBe(status);
});

test.each([
  ['work1', '', {}, 400, "invalid node version ''"],
  ['work1', 'x', {}, 400, 'strconv.ParseUint'],
  ['nobody', '1', { Role: 'worker', Availability: 'active' }, 404, 'node nobody not found'],
  ['work', '1', { Role: 'worker', Availability: 'active' }, 400, 'ambiguous (2 matches found)'],
  ['work1', '1', { Role: 'king', Availability: 'active' }, 400, 'invalid Role: "king"'],
  ['work1', '1', { Role: 'worker', Availability: 'off' }, 400, 'invalid Availability: "off"'],
  ['work1', '1', { Role: 1 }, 400, 'cannot unmarshal number'],
  [
    'work1',
    '1',
    { Role: 'worker', Availability: 'active', Labels: { a: 1 } },
    400,
    'cannot unmarshal number',
  ],
  ['work1', '1', { Role: 'manager', Availability: 'active' }, 501, 'cannot become a manager'],
  [
    'self1',
    '1',
    { Role: 'worker', Availability: 'active' },
    400,
    'attempting to demote the last manager of the swarm',
  ],
])('an update of %s at version %j with %j is refused', async (node, version, spec, status, words) => {
  const answer = await call('POST', `/nodes/${node}/update?version=${version}`, spec);
  expect(answer.status).toBe(status);
  expect(answer.message).toContain(words);
});

test.each([
  [{ role: ['king'] }, 'king'],
  [{ membership: ['maybe'] }, 'maybe'],
  [{ colour: ['red'] }, "invalid filter 'colour'"],
])('the filter %j is refused', async (filters, words) => {
  const query = new URLSearchParams({ filters: JSON.stringify(filters) });
  const answer = await call('GET', `/nodes?${query.toString()}`);
  expect(answer).toMatchObject({ status: 400, message: expect.stringContaining(words) as string });
});

test('a node is removed when it is down, or by force; a manager never', async () => {
  const refused = await call('DELETE', '/nodes/work1');
  expect(refused).toMatchObject({ status: 400 });
  expect(refused.message).toContain("node work1 is not down and can't be removed");
  expect((await call('DELETE', '/nodes/work1?force=1')).status).toBe(200);
  expect((await call('DELETE', '/nodes/work2')).status).toBe(200);
  const manager = await call('DELETE', '/nodes/self1?force=1');
  expect(manager.message).toContain('node self1 is a cluster manager and is a member of the raft cluster.');
  expect(await ids({})).toEqual(['self1']);
  expect(Object.keys(api?.store.view.cluster()?.removedNodes ?? {}).sort()).toEqual(['work1', 'work2']);
});
