import { SwarmError } from '../base/errors.ts';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startDaemon, type TestDaemon } from './testing/daemon.ts';

const INIT = { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1', DataPathAddr: '127.0.0.1' };
const init = async (daemon: TestDaemon, more: object = {}): Promise<string> => {
  const answer = await daemon.call('POST', '/v1.41/swarm/init', { ...INIT, ...more });
  expect(answer).toMatchObject({ status: 200 });
  return answer.value as string;
};

test('without a swarm everything is the engine, path and version as they came', async () => {
  await using daemon = await startDaemon();
  expect(await daemon.call('GET', '/v1.24/containers/json?all=1')).toMatchObject({
    status: 418,
    message: 'engine: GET /containers/json',
  });
  expect(await daemon.call('GET', '/v1.41/services')).toMatchObject({ message: 'engine: GET /services' });
  expect(await daemon.call('GET', '/v1.41/info')).toMatchObject({ value: { ID: 'engine' } });
  expect(daemon.engine.asked).toEqual([
    'GET /v1.24/containers/json?all=1',
    'GET /v1.41/services',
    'GET /v1.41/info',
  ]);
  await daemon.engine.stop();
  expect(await daemon.call('GET', '/v1.41/containers/json')).toMatchObject({
    status: 503,
    message: expect.stringContaining('Cannot connect to the Docker daemon at unix://') as string,
  });
  for (const path of ['/swarm', '/nodes', '/services/x', '/tasks', '/secrets', '/configs'])
    expect(await daemon.call('GET', `/v1.41${path}`)).toMatchObject({
      status: 503,
      message: expect.stringContaining('This node is not a swarm manager. Use "docker swarm init"') as string,
    });
});

test('init makes the host a node of its own swarm, and the engine that node', async () => {
  await using daemon = await startDaemon();
  const nodeId = await init(daemon, {
    Availability: 'drain',
    DefaultAddrPool: ['10.9.0.0/16'],
    SubnetSize: 26,
  });
  expect(nodeId).toMatch(/^[0-9a-z]{25}$/);
  expect(daemon.engine.joined).toEqual({
    ListenAddr: '127.0.0.1:2377',
    AdvertiseAddr: '127.0.0.1',
    DataPathAddr: '127.0.0.1',
    RemoteAddrs: ['127.0.0.1:2377'],
    JoinToken: 'TOKEN',
    Availability: 'active',
  });
  expect((await daemon.call('GET', '/v1.41/nodes/self')).value).toMatchObject({
    ID: nodeId,
    Spec: { Role: 'manager', Availability: 'drain' },
    ManagerStatus: { Leader: true, Addr: '127.0.0.1:2377' },
  });
  expect((await daemon.call('GET', '/swarm')).value).toMatchObject({
    DefaultAddrPool: ['10.9.0.0/16'],
    SubnetSize: 26,
    JoinTokens: { Worker: expect.stringMatching(/^SWMTKN-1-/) as string },
  });
  expect((await daemon.call('GET', '/info')).value).toMatchObject({
    ID: 'engine',
    NCPU: 2,
    Swarm: {
      NodeID: nodeId,
      NodeAddr: '127.0.0.1',
      ControlAvailable: true,
      Error: '',
      Managers: 1,
      Nodes: 1,
    },
  });
  expect((await daemon.call('GET', '/version')).value).toMatchObject({
    ApiVersion: '1.41',
    MinAPIVersion: '1.30',
    Components: [{ Name: 'Engine' }, { Name: 'swarmd' }],
  });
  expect((await daemon.call('GET', '/_ping')).headers).toMatchObject({
    'api-version': '1.41',
    swarm: 'active/manager',
    'builder-version': '1',
  });
  for (const path of ['/swarm/init', '/swarm/join'])
    expect(await daemon.call('POST', path, INIT)).toMatchObject({
      status: 503,
      message: expect.stringContaining('This node is already part of a swarm.') as string,
    });
  expect(await daemon.call('POST', '/swarm/init', { ...INIT, ForceNewCluster: true })).toMatchObject({
    value: nodeId,
  });
  expect(await daemon.call('POST', '/swarm/unlock', { UnlockKey: 'x' })).toMatchObject({
    status: 409,
    message: 'swarm is not locked',
  });
});

test('what the engine says to a join undoes the init', async () => {
  await using daemon = await startDaemon();
  daemon.engine.refusal = 'the engine has its reasons';
  const answer = await daemon.call('POST', '/swarm/init', INIT);
  expect(answer).toMatchObject({ status: 503, message: 'the engine has its reasons' });
  expect(daemon.life.swarm).toBeUndefined();
  expect(existsSync(join(daemon.folder.path, 'state.db'))).toBe(false);
  daemon.engine.refusal = undefined;
  await init(daemon);
});

test('an engine of another swarm is left alone', async () => {
  await using daemon = await startDaemon();
  daemon.engine.swarm = { LocalNodeState: 'active', NodeID: 'other', Error: '' };
  expect(await daemon.call('POST', '/swarm/init', INIT)).toMatchObject({ status: 503 });
  expect(daemon.engine.asked.filter((one) => one.startsWith('POST'))).toEqual([]);
});

test('a port that is taken is told of, and nothing is left', async () => {
  const taken = Object.assign(new Error('listen'), {
    code: 'EADDRINUSE',
    syscall: 'listen',
    address: '::',
    port: 2377,
  });
  await using daemon = await startDaemon({ startManager: () => Promise.reject(taken) });
  const answer = await daemon.call('POST', '/swarm/init', INIT);
  expect(answer.message).toContain('address already in use');
  expect(daemon.life.swarm).toBeUndefined();
  expect(daemon.engine.asked.filter((one) => one.startsWith('POST'))).toEqual([]);
});

test('leaving wants force, takes the engine along and forgets everything', async () => {
  await using daemon = await startDaemon();
  const first = await init(daemon);
  const refused = await daemon.call('POST', '/swarm/leave');
  expect(refused).toMatchObject({ status: 503 });
  expect(refused.message).toContain('Removing the last manager erases all current state of the swarm.');
  expect(await daemon.call('POST', '/swarm/leave?force=1')).toMatchObject({ status: 200 });
  expect(daemon.engine.swarm.LocalNodeState).toBe('inactive');
  expect(existsSync(join(daemon.folder.path, 'manager.json'))).toBe(false);
  expect(await init(daemon)).not.toBe(first);
});

test('the state lasts, and only its owner can read it', async () => {
  await using daemon = await startDaemon();
  const nodeId = await init(daemon);
  await daemon.life.close();
  await daemon.engine.stop();
  for (const name of ['state.db', 'manager.json'])
    expect(statSync(join(daemon.folder.path, name)).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(daemon.folder.path, 'manager.json'), 'utf8')).toContain(nodeId);
  await daemon.life.resume();
  expect((await daemon.call('GET', '/nodes')).value).toMatchObject([{ ID: nodeId }]);
  expect((await daemon.call('GET', '/info')).value).toMatchObject({
    Swarm: {
      NodeID: nodeId,
      Error: expect.stringContaining('Cannot connect to the Docker daemon') as string,
    },
  });
});

test.each([
  ['/v1.29/nodes', 'client version 1.29 is too old. Minimum supported API version is 1.30'],
  ['/v1.42/nodes', 'client version 1.42 is too new. Maximum supported API version is 1.41'],
  ['/v2.0/services', 'client version 2.0 is too new'],
])('%s is refused', async (path, words) => {
  await using daemon = await startDaemon();
  await init(daemon);
  expect(await daemon.call('GET', path)).toMatchObject({
    status: 400,
    message: expect.stringContaining(words) as string,
  });
  expect(await daemon.call('GET', '/v1.99/_ping')).toMatchObject({ status: 200 });
});

test('a path of the swarm that is no route never reaches the engine', async () => {
  await using daemon = await startDaemon();
  await init(daemon);
  for (const [method, path] of [
    ['PUT', '/swarm'],
    ['GET', '/swarm/nothing'],
    ['DELETE', '/services'],
    ['POST', '/nodes/x'],
  ] as const)
    expect(await daemon.call(method, path)).toMatchObject({ status: 404, message: 'page not found' });
  expect(await daemon.call('GET', '/v1.41/images/json')).toMatchObject({
    message: 'engine: GET /images/json',
  });
});

test('no way of writing a path leads past the manager', async () => {
  await using daemon = await startDaemon();
  await init(daemon);
  // Docker's router decodes first, takes any digits and dots for a version, and cleans what is not plain.
  for (const target of [
    '/%76%31.41/swarm/leave',
    '/v1%2E41/swarm/leave',
    '/v1.41%2Fswarm%2fleave',
    '/v1.41.0/swarm/leave',
    '/v1.41./swarm/leave',
    '/v1/swarm/leave',
    '//swarm/leave',
    '/v1.41//swarm/leave',
    '/v1.41/../swarm/leave',
    '/x/%2e%2e/v1%2E41/swarm/./leave',
    '/v1%2E41/nodes/%ff',
    'http://host/swarm/leave',
    'HTTP://host//v1.41.0/swarm/leave',
    'ftp://host/swarm/leave',
    '*',
  ])
    expect((await daemon.call('POST', target)).status, target).toBeGreaterThanOrEqual(400);
  expect(daemon.engine.asked.filter((one) => one.startsWith('POST'))).toEqual(['POST /swarm/join']);
  expect((await daemon.call('GET', '/nodes')).value).toHaveLength(1);
});

test('an engine that is elsewhere by now stays there', async () => {
  await using daemon = await startDaemon();
  const posts = (): string[] => daemon.engine.asked.filter((one) => one.startsWith('POST'));
  daemon.engine.refusal = 'This node is already part of a swarm.';
  expect(await daemon.call('POST', '/swarm/init', INIT)).toMatchObject({ status: 503 });
  expect(posts()).toEqual(['POST /swarm/join']);
  daemon.engine.refusal = undefined;
  await init(daemon);
  daemon.engine.swarm = { LocalNodeState: 'active', NodeID: 'elsewhere', Error: '' };
  expect(await daemon.call('POST', '/swarm/leave?force=1')).toMatchObject({ status: 200 });
  expect(posts()).toEqual(['POST /swarm/join', 'POST /swarm/join']);
  expect(daemon.life.swarm).toBeUndefined();
});

test('an engine that is lost while it joins is not left half in', async () => {
  await using daemon = await startDaemon();
  daemon.engine.isLostAtJoin = true;
  expect((await daemon.call('POST', '/swarm/init', INIT)).status).toBeGreaterThanOrEqual(500);
  expect(daemon.engine.asked.at(-1)).toBe('POST /swarm/leave?force=1');
  expect(daemon.life.swarm).toBeUndefined();
  expect(daemon.folder.hasDatabase).toBe(false);
});

test('a state that was put there since the start is not erased', async () => {
  await using former = await startDaemon();
  const nodeId = await init(former);
  await former.life.close();
  await using daemon = await startDaemon();
  daemon.folder.make();
  copyFileSync(join(former.folder.path, 'state.db'), join(daemon.folder.path, 'state.db'));
  expect(await daemon.call('POST', '/swarm/init', INIT)).toMatchObject({
    status: 409,
    message: expect.stringContaining('restart swarmd to go on with it') as string,
  });
  await daemon.life.resume();
  expect((await daemon.call('GET', '/nodes')).value).toMatchObject([{ ID: nodeId }]);
});

test('where it listens is known before there is a swarm to listen for', async () => {
  await using daemon = await startDaemon({
    startManager: () => {
      expect(daemon.folder.readLocal()).toMatchObject({ listen: { host: '127.0.0.1', port: 2377 } });
      return Promise.reject(new Error('no'));
    },
  });
  expect(await daemon.call('POST', '/swarm/init', INIT)).toMatchObject({ status: 500, message: 'no' });
  expect(daemon.folder.readLocal()).toBeUndefined();
});

test.each([
  [{ ListenAddr: '' }, 400, 'invalid ListenAddr'],
  [{ AdvertiseAddr: '0.0.0.0' }, 400, 'advertise address must be a non-zero IP address'],
  [{ ListenAddr: 5 }, 400, 'cannot unmarshal number'],
  [{ Spec: { CAConfig: { ExternalCAs: [{ URL: 'https://x' }] } } }, 501, 'external CAs are not supported'],
  [{ DefaultAddrPool: ['x'] }, 400, 'invalid default address pool'],
])('an init with %j is refused', async (more, status, words) => {
  await using daemon = await startDaemon();
  const answer = await daemon.call('POST', '/swarm/init', { ...INIT, ...more });
  expect(answer).toMatchObject({ status, message: expect.stringContaining(words) as string });
  expect(daemon.engine.asked.filter((one) => one.startsWith('POST'))).toEqual([]);
});

test('the heartbeat of the command line goes before that of the spec', async () => {
  await using daemon = await startDaemon({ heartbeatNs: 2_000_000_000 });
  await init(daemon, { Spec: { Dispatcher: { HeartbeatPeriod: 5_000_000_000 } } });
  expect((await daemon.call('GET', '/swarm')).value).toMatchObject({
    Spec: { Dispatcher: { HeartbeatPeriod: 2_000_000_000 } },
  });
});

test("events are the engine's and the swarm's; past ones come in the order of time", async () => {
  await using daemon = await startDaemon();
  const nodeId = await init(daemon);
  const lines: { Type: string; Action: string; Actor?: { ID: string } }[] = [];
  const seen = Promise.withResolvers<void>();
  const call = request({ socketPath: daemon.socket, path: '/v1.41/events?since=0' }, (res) => {
    res.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trim().split('\n')) lines.push(JSON.parse(line) as (typeof lines)[number]);
      if (lines.some(({ Action }) => Action === 'update')) seen.resolve();
      else if (lines.length === 6) void update();
    });
    res.on('error', () => undefined);
  });
  const update = async (): Promise<void> => {
    const node = (await daemon.call('GET', '/nodes/self')).value as { Version: { Index: number } };
    const spec = { Role: 'manager', Availability: 'pause' };
    await daemon.call('POST', `/nodes/${nodeId}/update?version=${node.Version.Index}`, spec);
  };
  call.on('error', () => undefined).end();
  await seen.promise;
  call.destroy();
  expect(lines.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual([
    'container start',
    'node create',
    'network create',
    'network create',
    'network create',
    'network create',
    'node update',
  ]);
  const none = await daemon.call('GET', '/events?since=2&until=1');
  expect(none).toMatchObject({ status: 400, message: '`since` time (2) cannot be after `until` time (1)' });
  const past = await daemon.call('GET', `/events?until=1&filters=${encodeURIComponent('{"type":["node"]}')}`);
  expect(past.status).toBe(200);
});

test('a worker that joins, joins by its engine; what the engine says is passed on', async () => {
  await using daemon = await startDaemon();
  daemon.engine.refusal = 'rpc error: a plain Docker Engine cannot be a manager of this swarm: run swarmd';
  const refused = await daemon.call('POST', '/swarm/join', { JoinToken: 'x' });
  expect(refused).toMatchObject({
    status: 503,
    message: expect.stringContaining('cannot be a manager of this swarm') as string,
  });
  daemon.engine.refusal = undefined;
  expect(await daemon.call('POST', '/swarm/join', { JoinToken: 'y' })).toMatchObject({ status: 200 });
  expect(daemon.engine.joined).toEqual({ JoinToken: 'y' });
});

test('what can not be done because somebody else is away is 503', async () => {
  await using daemon = await startDaemon({
    beforeManager: () => {
      throw new SwarmError('unavailable', 'the store does not answer');
    },
  });
  expect(await daemon.call('POST', '/swarm/init', INIT)).toMatchObject({
    status: 503,
    message: 'the store does not answer',
  });
});
