import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Code, ConnectError, createClient, type ConnectRouter } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { CA } from '../../proto/generated/swarmkit/ca_pb.js';
import { Dispatcher } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import {
  connectTo,
  joinSwarm,
  startTestFollower,
  startTestSwarm,
  type AgentCredentials,
  type Connection,
  type TestFollower,
  type TestFollowerOptions,
  type TestSwarm,
} from '../../test/agents/index.ts';
import { startCutProxy } from '../../test/chaos/cut-proxy.ts';
import { callerAddr, type ManagerPlace, type SwarmCredentials } from '../swarmkit/index.ts';

const RELAY_TIMES = { connectMs: 1_000, lookMs: 200, lingerMs: 200 };
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Says where calls come from; its sessions last until their caller is gone. */
function dispatcher(router: ConnectRouter): void {
  router.service(Dispatcher, {
    heartbeat: (_request, call) => {
      throw new ConnectError(callerAddr(call), Code.FailedPrecondition);
    },
    async *session(_request, { signal }) {
      yield { sessionId: 's' };
      await once(signal, 'abort');
      throw signal.reason;
    },
    async *assignments({ sessionId }) {
      const id = 'x'.repeat(100_000);
      for (let left = Number(sessionId); left > 0; left--) yield { appliesTo: id };
    },
  });
}

async function startLeader(): Promise<TestSwarm> {
  const swarm = await startTestSwarm({ routes: dispatcher, lookMs: 1_000 });
  open.push(() => swarm.close());
  return swarm;
}

const placeOf = ({ addr }: { addr: string }): ManagerPlace => ({ nodeId: 'manager0', addr });

async function startFollower(swarm: TestSwarm, options: TestFollowerOptions = {}): Promise<TestFollower> {
  const follower = await startTestFollower(swarm, options);
  open.push(() => follower[Symbol.asyncDispose]());
  return follower;
}

function connection(addr: string, credentials: AgentCredentials): Connection {
  const made = connectTo(addr, { rootPem: credentials.rootPem, credentials });
  open.push(() => made.close());
  return made;
}

const clientTo = (addr: string, credentials: AgentCredentials) =>
  createClient(Dispatcher, connection(addr, credentials).transport);

/** Where the leader sees a call come from. */
async function seenAddr(addr: string, credentials: AgentCredentials): Promise<string> {
  const error: unknown = await clientTo(addr, credentials)
    .heartbeat({})
    .catch((reason: unknown) => reason);
  expect(ConnectError.from(error).code).toBe(Code.FailedPrecondition);
  return ConnectError.from(error).rawMessage;
}

/** A session that has begun. */
async function begun(addr: string, credentials: AgentCredentials): Promise<AsyncIterator<unknown>> {
  const messages = clientTo(addr, credentials).session({})[Symbol.asyncIterator]();
  expect((await messages.next()).done).toBe(false);
  return messages;
}

function socketTo(addr: string, protocol: string, tls?: Partial<SwarmCredentials>): TLSSocket {
  const socket = connectTls({
    host: '127.0.0.1',
    port: Number(addr.split(':')[1]),
    ca: tls?.rootPem,
    ...(tls?.certPem === undefined ? {} : { cert: tls.certPem, key: tls.keyPem }),
    servername: 'swarm-manager',
    ALPNProtocols: [protocol],
  });
  socket.on('error', () => undefined);
  open.push(() => socket.destroy());
  return socket;
}

test('a joiner and its agent come through a manager that does not lead', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  follower.port.passTo(placeOf(leader));
  const credentials = await joinSwarm({ addr: follower.addr, token: leader.workerToken() });
  expect(leader.node(credentials.nodeId).role).toBe('worker');
  // From the leader's own host it would be the same address anyway.
  expect(await seenAddr(follower.addr, credentials)).toBe('127.0.0.1');
  expect(leader.lines.join('')).not.toContain('refused');
});

test('an agent has the address that the relaying manager says', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  for (const [said, seen] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8::1', '2001:db8::1'],
    ['127.3.2.1', '127.0.0.1'],
  ] as const) {
    const front = await startSaying(leader.addr, follower.credentials, `{"addr":"${said}"}\n`);
    expect(await seenAddr(front, credentials)).toBe(seen);
  }
  expect(await seenAddr(leader.addr, credentials)).toBe('127.0.0.1');
});

/** Relays as a manager does, with a first line that the test decides. */
async function startSaying(leader: string, credentials: SwarmCredentials, line: string): Promise<string> {
  const server = createServer((near) => {
    const far = socketTo(leader, 'skep-relay', credentials);
    near.on('error', () => undefined);
    far.once('close', () => near.destroy());
    near.once('close', () => far.destroy());
    far.write(line);
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('strangers behind a relay are held to the same, and agents stay', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  follower.port.passTo(placeOf(leader));
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  const session = await begun(follower.addr, credentials);
  const next = session.next();
  let ended = false;
  next.catch(() => undefined).finally(() => (ended = true));
  // It lasts three looks, at which a silent agent answers a ping.
  const socket = socketTo(follower.addr, 'h2', { rootPem: credentials.rootPem });
  const stranger = connectHttp2('https://swarm-manager', { createConnection: () => socket });
  stranger.on('error', () => undefined);
  await new Promise((resolve) => stranger.once('close', resolve));
  expect(ended).toBe(false);
  expect(await seenAddr(follower.addr, credentials)).toBe('127.0.0.1');
});

test('a certificate that is worth nothing is told of by the address of its owner', async () => {
  const leader = await startLeader();
  const { credentials: manager } = await startFollower(leader);
  const other = await startLeader();
  const foreign = await joinSwarm({ addr: other.addr, token: other.workerToken() });
  const front = await startSaying(leader.addr, manager, '{"addr":"192.0.2.7"}\n');
  const call = clientTo(front, { ...foreign, rootPem: leader.cluster().rootCa.certPem }).heartbeat({});
  await expect(call).rejects.toMatchObject({ code: Code.PermissionDenied });
  const told = leader.lines.filter((line) => line.includes('a node is refused'));
  expect(told).toEqual([expect.stringContaining('addr=192.0.2.7')]);
});

test('a relay that does not say an address, or never ends to, is cut', async () => {
  const leader = await startLeader();
  const { credentials } = await startFollower(leader);
  for (const line of [
    '{"addr":"no address"}\n',
    '{"addr":4}\n',
    'null\n',
    '{"addr":"1.2.3.4"\n',
    '\n',
    `{"addr":"${'1'.repeat(300)}"}\n`,
    'x'.repeat(5_000),
  ]) {
    const socket = socketTo(leader.addr, 'skep-relay', credentials);
    socket.resume().write(line);
    await once(socket, 'close');
  }
  const inner = socketTo(leader.addr, 'skep-relay', credentials);
  inner.resume().write('{"addr":"1.2.3.4"}\nno hello');
  await once(inner, 'close');
  await expect.poll(() => leader.server.connections()).toBe(0);
});

test('nobody but managers is let in between managers', async () => {
  const leader = await startLeader();
  const demoted = await startFollower(leader, { role: 'worker' });
  const worker = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  const other = await startLeader();
  const { credentials: foreign } = await startFollower(other);
  const rootPem = leader.cluster().rootCa.certPem;
  for (const protocol of ['skep-relay', 'skep-api']) {
    for (const shown of [{ rootPem }, worker, { ...foreign, rootPem }, demoted.credentials]) {
      const socket = socketTo(leader.addr, protocol, shown);
      socket.resume().write('{"addr":"1.2.3.4"}\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
      const answer: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => answer.push(chunk));
      await once(socket, 'close');
      expect(Buffer.concat(answer).toString()).toBe('');
    }
  }
  await createClient(CA, connection(leader.addr, worker).transport).getRootCACertificate({});
});

test('what managers say to each other is never relayed', async () => {
  const leader = await startLeader();
  const [one, two] = [await startFollower(leader), await startFollower(leader, { nodeId: 'manager2' })];
  one.port.passTo(two.place);
  two.port.passTo(one.place);
  const noLeader = { code: Code.Unavailable, rawMessage: expect.stringContaining('a leader') as unknown };
  const join = (): Promise<unknown> => joinSwarm({ addr: one.addr, token: leader.workerToken() });
  await expect(join()).rejects.toMatchObject(noLeader);
  await expect.poll(() => one.port.connections() + two.port.connections()).toBe(0);
  // Inside a relay neither.
  const front = await startSaying(leader.addr, one.credentials, '{"addr":"192.0.2.7"}\n');
  for (const protocol of ['skep-relay', 'skep-api']) {
    const inner = socketTo(front, protocol, one.credentials);
    inner.resume().write('{"addr":"1.2.3.4"}\n');
    await once(inner, 'close');
  }
  one.port.passTo(one.place);
  await expect(join()).rejects.toMatchObject(noLeader);
});

test('relays are cut when the leader is another one or unknown, and not when it stays', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  follower.port.passTo(placeOf(leader));
  const session = await begun(follower.addr, credentials);
  const next = session.next();
  next.catch(() => undefined);
  follower.port.passTo(placeOf(leader));
  expect(await seenAddr(follower.addr, credentials)).toBe('127.0.0.1');
  follower.port.passTo(undefined);
  await expect(next).rejects.toThrow();
  const none = clientTo(follower.addr, credentials).heartbeat({});
  await expect(none).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: "The swarm does not have a leader. It's possible that too few managers are online.",
  });
  follower.port.passTo(placeOf(leader));
  await begun(follower.addr, credentials);
});

test('a connection that was refused for want of a leader is closed, so that it is relayed when there is one', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  const agent = clientTo(follower.addr, credentials);
  for (const call of [agent.heartbeat({}), agent.updateTaskStatus({})])
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  await expect.poll(() => follower.port.connections()).toBe(0);
  follower.port.passTo(placeOf(leader));
  await expect(agent.heartbeat({})).rejects.toMatchObject({ code: Code.FailedPrecondition });
});

test('a leader that can not be reached, or is another manager than was meant, leaves callers without one', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  for (const place of [
    { nodeId: 'manager0', addr: '127.0.0.1:1' },
    { nodeId: 'manager9', addr: leader.addr },
    { nodeId: 'manager0', addr: 'no address' },
  ]) {
    follower.port.passTo(place);
    for (let i = 0; i < 2; i++)
      await expect(clientTo(follower.addr, credentials).heartbeat({})).rejects.toMatchObject({
        code: Code.Unavailable,
      });
  }
  // Each was said once.
  expect(follower.lines.filter((line) => line.includes('can not be relayed'))).toHaveLength(3);
});

test('a manager that begins to lead serves what comes, and one that ceases ends it', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  follower.port.passTo(placeOf(leader));
  const relayed = (await begun(follower.addr, credentials)).next();
  relayed.catch(() => undefined);
  const end = follower.port.serve(dispatcher);
  await expect(relayed).rejects.toThrow();
  const served = (await begun(follower.addr, credentials)).next();
  served.catch(() => undefined);
  await end(200);
  await expect(served).rejects.toMatchObject({ code: Code.Unavailable });
  const later = clientTo(follower.addr, credentials).heartbeat({});
  await expect(later).rejects.toMatchObject({ code: Code.Unavailable });
  await end(0);
  follower.port.serve(dispatcher);
  await begun(follower.addr, credentials);
});

test('large messages go through, to slow readers too', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader);
  follower.port.passTo(placeOf(leader));
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  let got = 0;
  const client = clientTo(follower.addr, credentials);
  for await (const { appliesTo } of client.assignments({ sessionId: '100' })) {
    if (got++ % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(appliesTo).toHaveLength(100_000);
  }
  expect(got).toBe(100);
  const big = client.heartbeat({ sessionId: 'x'.repeat(3_000_000) });
  await expect(big).rejects.toMatchObject({ code: Code.FailedPrecondition });
});

test('a leader whose host lost its power is noticed', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader, { relayTimes: RELAY_TIMES });
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  const proxy = await startCutProxy(leader.addr);
  open.push(() => proxy[Symbol.asyncDispose]());
  follower.port.passTo(placeOf({ addr: proxy.address }));
  const session = await begun(follower.addr, credentials);
  const client = clientTo(follower.addr, credentials);
  await expect(client.heartbeat({})).rejects.toMatchObject({ code: Code.FailedPrecondition });
  proxy.cut();
  // What is sent and never answered gives it away.
  await expect(client.heartbeat({})).rejects.not.toMatchObject({ code: Code.FailedPrecondition });
  await proxy[Symbol.asyncDispose]();
  await expect(session.next()).rejects.toThrow();
});

test('an agent whose host lost its power is noticed behind a relay', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader, { relayTimes: RELAY_TIMES });
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  follower.port.passTo(placeOf(leader));
  const way = await startCutProxy(follower.addr);
  open.push(() => way[Symbol.asyncDispose]());
  const lost = await begun(way.address, credentials);
  way.cut();
  // The leader's pings remain unanswered.
  await expect.poll(() => leader.server.connections(), { timeout: 20_000 }).toBe(0);
  await expect.poll(() => follower.port.connections(), { timeout: 20_000 }).toBe(0);
  await way[Symbol.asyncDispose]();
  await expect(lost.next()).rejects.toThrow();
});

test('there are no more relays than there may be, and a closed port leaves nothing', async () => {
  const leader = await startLeader();
  const follower = await startFollower(leader, { relaysMax: 1 });
  const credentials = await joinSwarm({ addr: leader.addr, token: leader.workerToken() });
  follower.port.passTo(placeOf(leader));
  const session = await begun(follower.addr, credentials);
  await expect(clientTo(follower.addr, credentials).heartbeat({})).rejects.not.toMatchObject({
    code: Code.FailedPrecondition,
  });
  expect(follower.lines.filter((line) => line.includes('1 are relayed'))).toHaveLength(1);
  const silent: Socket = connectTcp(follower.port.port, '127.0.0.1');
  silent.on('error', () => undefined).resume();
  await once(silent, 'connect');
  await expect.poll(() => follower.port.connections()).toBe(2);
  await follower.port.close(100);
  await expect(session.next()).rejects.toThrow();
  expect(follower.port.connections()).toBe(0);
  await expect.poll(() => leader.server.connections()).toBe(0);
  await follower.port.close(0);
});
