import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { Code } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { Joining, Managers } from '../../proto/generated/skep/managers_pb.js';
import {
  startTestFollower,
  startTestSwarm,
  type TestFollower,
  type TestSwarm,
} from '../../test/agents/index.ts';
import { startCutProxy } from '../../test/chaos/cut-proxy.ts';
import {
  connectLeaderApi,
  connectJoining,
  connectManagers,
  LeaderRequestError,
  requireManager,
  type ApiHandler,
  type LeaderApi,
  type LeaderApiOptions,
  type LeaderRequest,
} from '../swarmkit/index.ts';
import { fetchRoot } from './index.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Scene {
  readonly leader: TestSwarm;
  readonly follower: TestFollower;
  readonly api: LeaderApi;
}

/** A leader that answers by `handler`, and a follower that asks it. */
async function startScene(handler: ApiHandler, options: Partial<LeaderApiOptions> = {}): Promise<Scene> {
  const leader = await startTestSwarm();
  open.push(() => leader.close());
  const follower = await startTestFollower(leader);
  open.push(() => follower[Symbol.asyncDispose]());
  leader.server.onApi(handler);
  return { leader, follower, api: apiTo(leader.addr, follower, options) };
}

function apiTo(
  addr: string,
  { credentials }: TestFollower,
  options: Partial<LeaderApiOptions> = {},
  nodeId = 'manager0',
): LeaderApi {
  const api = connectLeaderApi({ nodeId, addr }, { credentials: () => credentials, ...options });
  open.push(() => api.close());
  return api;
}

const wish = (path: string, given: Partial<LeaderRequest> = {}): LeaderRequest => ({
  method: 'GET',
  path,
  headers: {},
  body: null,
  signal: new AbortController().signal,
  ...given,
});

const echo: ApiHandler = (request, response, caller) => {
  void buffer(request).then((body) => {
    response.writeHead(201, { 'x-caller': caller.nodeId, 'x-kept': request.headers['x-mine'] ?? '' });
    response.end(`${request.method} ${request.url} ${body.length}`);
  });
};

const failed = (work: Promise<unknown>): Promise<LeaderRequestError> =>
  work.then(
    () => expect.fail('it was answered'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(LeaderRequestError);
      return error as LeaderRequestError;
    },
  );

test('a request goes to the leader as it is, and its answer comes back, over few connections', async () => {
  const { leader, api } = await startScene(echo);
  const ask = async (given: Partial<LeaderRequest>): Promise<[IncomingMessage, string]> => {
    const answer = await api.request(wish('/v1.44/services?x=1', { headers: { 'x-mine': 'a' }, ...given }));
    return [answer, await text(answer)];
  };
  const [answer, words] = await ask({});
  expect([answer.statusCode, words]).toEqual([201, 'GET /v1.44/services?x=1 0']);
  expect(answer.headers).toMatchObject({ 'x-caller': 'manager1', 'x-kept': 'a' });
  const large = (): Readable => Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(50_000)));
  for (const [method, body, length] of [
    ['POST', 'some', 4],
    ['POST', large(), 5_000_000],
    ['DELETE', large(), 5_000_000],
    ['DELETE', null, 0],
    ['PUT', Buffer.alloc(100_000), 100_000],
  ] as const)
    expect((await ask({ method, body }))[1]).toBe(`${method} /v1.44/services?x=1 ${length}`);
  expect(leader.server.connections()).toBe(1);
});

test('an answer is streamed as it is made, and ends at the other end when its reader goes', async () => {
  const gone = Promise.withResolvers<void>();
  const { api } = await startScene((_request, response) => {
    response.write('first\n');
    response.once('close', () => gone.resolve());
  });
  const stop = new AbortController();
  const answer = await api.request(wish('/logs', { signal: stop.signal }));
  const [first] = (await once(answer, 'data')) as [Buffer];
  expect(first.toString()).toBe('first\n');
  stop.abort();
  await gone.promise;
});

test('a slow reader of a large answer has it whole', async () => {
  const { api } = await startScene((_request, response) => {
    Readable.from(Array.from({ length: 200 }, () => Buffer.alloc(100_000))).pipe(response);
  });
  let bytes = 0;
  let chunks = 0;
  for await (const chunk of (await api.request(wish('/'))) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (chunks++ % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(bytes).toBe(20_000_000);
});

test('what did not come to an answer says whether it may have done something', async () => {
  const { leader, follower, api } = await startScene((request) => void request.socket.destroy());
  expect(await failed(api.request(wish('/')))).toMatchObject({ isSent: true, code: 'unavailable' });
  const stop = new AbortController();
  stop.abort();
  expect(await failed(api.request(wish('/', { signal: stop.signal })))).toMatchObject({ isSent: false });
  const nobody = apiTo('127.0.0.1:1', follower);
  const refused = await failed(nobody.request(wish('/', { method: 'POST', body: 'a' })));
  expect(refused.isSent).toBe(false);
  expect(refused.message).toBe('manager 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1');
  const another = await failed(apiTo(leader.addr, follower, {}, 'manager9').request(wish('/')));
  expect(another).toMatchObject({ isSent: false });
  expect(another.message).toContain('it is not the manager manager9');
  api.close();
  expect(await failed(api.request(wish('/')))).toMatchObject({ isSent: false });
});

test('who is no manager any more is refused, over a connection that it has too', async () => {
  const { leader, api } = await startScene(echo);
  expect(await text(await api.request(wish('/')))).toBe('GET / 0');
  await leader.store.update((tx) => {
    const node = tx.get('node', 'manager1');
    if (node) tx.update('node', { ...node, role: 'worker' });
  });
  const refused = await api.request(wish('/'));
  expect([refused.statusCode, await text(refused)]).toEqual([403, '{"message":"for managers alone"}']);
  expect(await failed(api.request(wish('/')))).toMatchObject({ code: 'unavailable' });
});

test('closing cuts what is under way', async () => {
  const { leader, api } = await startScene((_request, response) => void response.write('first'));
  const answer = await api.request(wish('/'));
  const cut = new Promise((resolve) => answer.once('close', resolve));
  answer.resume();
  api.close();
  await cut;
  await expect.poll(() => leader.server.connections()).toBe(0);
});

test('a leader whose host lost its power is noticed while a request waits', async () => {
  let asked = 0;
  const { leader, follower } = await startScene(() => void (asked += 1));
  const proxy = await startCutProxy(leader.addr);
  open.push(() => proxy[Symbol.asyncDispose]());
  const api = apiTo(proxy.address, follower, { lookMs: 100, connectMs: 500 });
  const waiting = failed(api.request(wish('/')));
  await expect.poll(() => asked).toBe(1);
  proxy.cut();
  expect(await waiting).toMatchObject({ isSent: true });
});

test('a port that has no handler yet says so', async () => {
  const leader = await startTestSwarm();
  open.push(() => leader.close());
  const follower = await startTestFollower(leader);
  open.push(() => follower[Symbol.asyncDispose]());
  const answer = await apiTo(leader.addr, follower).request(wish('/'));
  expect([answer.statusCode, await text(answer)]).toEqual([503, '{"message":"this manager is not ready"}']);
});

test('the root is taken from whoever has the one of the token, and from nobody else', async () => {
  const { leader, follower } = await startScene(echo);
  follower.port.passTo({ nodeId: 'manager0', addr: leader.addr });
  for (const { addr } of [leader, follower])
    expect(await fetchRoot(addr, leader.workerToken())).toBe(leader.cluster().rootCa.certPem);
  const other = await startTestSwarm();
  open.push(() => other.close());
  await expect(fetchRoot(other.addr, leader.workerToken())).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(
      /^remote CA does not match fingerprint. Expected: [0-9a-f]{64}$/,
    ) as unknown,
  });
  await expect(fetchRoot(leader.addr, 'SWMTKN-1-a-b')).rejects.toMatchObject({
    message: 'invalid join token',
  });
  await expect(fetchRoot('127.0.0.1:1', leader.workerToken())).rejects.toMatchObject({ code: 'unavailable' });
  const silent = createServer((socket) => socket.on('error', () => undefined).resume());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  open.push(() => silent.close());
  const addr = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await expect(fetchRoot(addr, leader.workerToken(), 200)).rejects.toMatchObject({ code: 'unavailable' });
});

test('managers and joiners ask the one that leads', async () => {
  const leader = await startTestSwarm({
    routes: (router, { store }) => {
      router.service(Joining, { join: ({ nodeId }) => ({ nodeId }) });
      router.service(Managers, {
        engineToken: (_request, call) => ({ token: requireManager(call, store.view).id }),
        async *attend({ candidate }, call) {
          yield { manager: candidate?.addr === requireManager(call, store.view).id };
        },
      });
    },
  });
  open.push(() => leader.close());
  const follower = await startTestFollower(leader);
  open.push(() => follower[Symbol.asyncDispose]());
  follower.port.passTo({ nodeId: 'manager0', addr: leader.addr });
  const rootPem = await fetchRoot(follower.addr, leader.workerToken());
  const joiner = connectJoining(follower.addr, rootPem);
  open.push(() => joiner.close());
  expect(await joiner.client.join({ nodeId: 'new' })).toMatchObject({ nodeId: 'new' });
  expect(() => connectJoining(follower.addr, '')).toThrow("the swarm's root certificate is missing");
  const nobody = connectManagers(follower.addr, { rootPem, certPem: '', keyPem: '' });
  open.push(() => nobody.close());
  await expect(nobody.client.engineToken({})).rejects.toMatchObject({ code: Code.PermissionDenied });
  const manager = connectManagers(leader.addr, follower.credentials);
  open.push(() => manager.close());
  expect(await manager.client.engineToken({})).toMatchObject({ token: 'manager1' });
  const wishes = manager.client.attend({ candidate: { addr: 'manager1' } })[Symbol.asyncIterator]();
  expect((await wishes.next()).value).toMatchObject({ manager: true, witness: false });
});
