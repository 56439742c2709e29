import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Discovery } from '../../src/discovery/index.ts';
import { zkDiscovery } from '../../src/discovery/zk/zk.ts';
import { until } from '../hosts/index.ts';
import { startZooKeeper, type ZooKeeper } from '../stores/zookeeper.ts';
import { discoveryContract } from './contract.ts';
import type { StoreFixture, StoreTraits } from './fixture.ts';
import { Follower, SOON_MS } from './follower.ts';
import { lockContract } from './lock-contract.ts';

const TRAITS: StoreTraits = { shortTtlMs: 3_000, goneWithinMs: 30_000 };

discoveryContract('zk', fixture, TRAITS);
lockContract('zk', fixture, TRAITS);

async function fixture(): Promise<StoreFixture> {
  const server = await startZooKeeper();
  return {
    open: ({ prefix = '', ...options } = {}) =>
      zkDiscovery(`${server.endpoint}/${prefix}`, { heartbeatMs: 1000, ...options }),
    put: async (key, value) => {
      await server.zkCli('create', `/${key}`, value);
    },
    get: async (key) => lastLine(await server.zkCli('get', `/${key}`)),
    stop: () => server.stop(),
    start: (options) => server.start(options),
    pause: () => server.pause(),
    resume: () => server.resume(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

describe.concurrent('zk among others', { timeout: 120_000 }, () => {
  let server: ZooKeeper;
  const opened: Discovery[] = [];
  const signal = AbortSignal.timeout(10 * 60_000);
  const open = (rest: string): Discovery => {
    const discovery = zkDiscovery(rest, { heartbeatMs: 1000 });
    opened.push(discovery);
    return discovery;
  };
  const LOCK = { name: 'leader', value: 'ours:4000', ttlMs: 30_000 };
  const locked = (rest: string): NonNullable<ReturnType<NonNullable<Discovery['lock']>>> => {
    const lock = open(rest).lock?.(LOCK);
    if (!lock) throw new Error('zk:// has no lock');
    return lock;
  };

  beforeAll(async () => {
    server = await startZooKeeper();
  });
  afterAll(async () => {
    for (const discovery of opened) await discovery.close?.();
    await server[Symbol.asyncDispose]();
  });

  test('a node that somebody else left under our address becomes ours, without a gap', async () => {
    const folder = '/taken/docker/swarm/nodes';
    const agent = open(`${server.endpoint}/taken`);
    const [A, B] = ['10.0.0.1:2375', '10.0.0.2:2375'];
    await agent.register(A, { ttlMs: 60_000, signal });
    await server.zkCli('create', `${folder}/${B}`, B);
    await using follower = new Follower(open(`${server.endpoint}/taken`));
    await follower.shows([A, B]);
    const lists = follower.lists;
    await agent.register(B, { ttlMs: 60_000, signal });
    expect(await server.zkCli('stat', `${folder}/${B}`)).toMatch(/ephemeralOwner = 0x[1-9a-f]/);
    await open(`${server.endpoint}/taken`).register(A, { ttlMs: 50_000, signal });
    // What is registered afterwards is seen afterwards.
    await agent.register('10.0.0.3:2375', { ttlMs: 60_000, signal });
    await follower.shows([A, B, '10.0.0.3:2375']);
    expect(follower.lists).toBe(lists + 1);
  });

  test('an address that is registered no more leaves, though its process lives on', async () => {
    const agent = open(`${server.endpoint}/left`);
    await using follower = new Follower(open(`${server.endpoint}/left`));
    await agent.register('10.0.0.1:2375', { ttlMs: 60_000, signal });
    await agent.register('10.0.0.2:2375', { ttlMs: 4_000, signal });
    await follower.shows(['10.0.0.1:2375', '10.0.0.2:2375']);
    await follower.shows(['10.0.0.1:2375']);
  });

  test('somebody removes everything: the engines stay until they register again', async () => {
    const agent = open(`${server.endpoint}/wiped`);
    await using follower = new Follower(open(`${server.endpoint}/wiped`));
    await agent.register('10.0.0.1:2375', { ttlMs: 60_000, signal });
    await follower.shows(['10.0.0.1:2375']);
    await server.zkCli('deleteall', '/wiped');
    expect(await follower.troubled()).toContain('missing');
    expect(follower.addresses).toEqual(['10.0.0.1:2375']);
    await agent.register('10.0.0.1:2375', { ttlMs: 60_000, signal });
    await follower.calm();
    expect(follower.addresses).toEqual(['10.0.0.1:2375']);
  });

  test("the original's lock and ours keep each other out", async () => {
    const node = '/mixed/docker/swarm/leader';
    const queued = (digit: string): string => `${node}/_c_${digit.repeat(32)}-lock-`;
    const lock = locked(`${server.endpoint}/mixed`);
    expect(await lock.acquire({ signal })).toEqual({ kind: 'held' });
    // The original queues behind us; its value comes into the lock's node when it has its turn.
    await server.zkCli('create', '-s', queued('a'));
    expect(await lock.renew({ signal })).toBe(true);
    await lock.release({ signal });
    await server.zkCli('set', node, 'theirs:4000');
    expect(await lock.acquire({ signal })).toEqual({ kind: 'taken', by: 'theirs:4000' });
    const seen: (string | undefined)[] = [];
    const stop = new AbortController();
    const watched = (async () => {
      for await (const value of lock.watch({ signal: stop.signal })) seen.push(value);
    })();
    await until('their value', SOON_MS, () => seen.at(-1) === 'theirs:4000' || undefined);
    const theirs = /_c_a+-lock-\d+/.exec(await server.zkCli('ls', node))?.[0] ?? '';
    await server.zkCli('delete', `${node}/${theirs}`);
    await until('nobody has it', SOON_MS, () => seen.at(-1) === undefined || undefined);
    stop.abort();
    await watched;
    expect(await lock.acquire({ signal })).toEqual({ kind: 'held' });
    expect(lastLine(await server.zkCli('get', node))).toBe('ours:4000');
  });

  test('a short break of the link costs nothing, one that outlasts the session all that was held', async () => {
    await using link = await startLink(server.endpoint);
    const lock = open(`${link.endpoint}/broken`).lock?.({ ...LOCK, ttlMs: 6_000 });
    const agent = open(`${link.endpoint}/broken`);
    const near = open(`${server.endpoint}/broken`);
    const A = '10.0.0.1:2375';
    const register = (): Promise<void> => agent.register(A, { ttlMs: 6_000, signal });
    const listed = async (): Promise<string[]> => (await near.list({ signal })).map(({ address }) => address);
    await register();
    expect(await lock?.acquire({ signal })).toEqual({ kind: 'held' });
    link.cut();
    link.heal();
    expect(await until('renewed', SOON_MS, async () => lock?.renew({ signal }))).toBe(true);
    await register();
    expect(await listed()).toEqual([A]);
    link.cut();
    await until('the registration is gone', SOON_MS, async () => (await listed()).length === 0 || undefined);
    await expect(register()).rejects.toMatchObject({ code: 'unavailable' });
    link.heal();
    expect(await until('an answer', SOON_MS, async () => lock?.renew({ signal }))).toBe(false);
    await register();
    expect(await listed()).toEqual([A]);
  });

  test('a time that ZooKeeper does not grant is no lock', async () => {
    const lock = open(server.endpoint).lock?.({ ...LOCK, ttlMs: 90_000 });
    await expect(lock?.acquire({ signal })).rejects.toThrow('grants sessions of 60s at most');
  });
});

interface LinkTo extends AsyncDisposable {
  endpoint: string;
  /** Ends what stands, and takes nothing new. */
  cut(): void;
  heal(): void;
}

/** A connection to the server that can be cut. */
async function startLink(endpoint: string): Promise<LinkTo> {
  const [host = '', port = ''] = endpoint.split(':');
  const open = new Set<Socket>();
  let isCut = false;
  const relay = createServer((near) => {
    const far = connect(Number(port), host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
    if (isCut) near.destroy();
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    isCut = true;
    for (const socket of [...open]) socket.destroy();
  };
  return {
    endpoint: `127.0.0.1:${(relay.address() as AddressInfo).port}`,
    cut,
    heal: () => {
      isCut = false;
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}
