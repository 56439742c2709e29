import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consulDiscovery } from '../../src/discovery/consul/consul.ts';
import type { Discovery, Lock, StoreOptions } from '../../src/discovery/index.ts';
import { until } from '../hosts/index.ts';
import { ensureConsul, startConsul, type Consul } from '../stores/consul.ts';
import { CONSUL_TRAITS, consulFixture } from './consul-fixture.ts';
import { discoveryContract } from './contract.ts';
import { Follower, SOON_MS } from './follower.ts';
import { lockContract } from './lock-contract.ts';
import { makeCa, makePair, storeTls } from './openssl.ts';

discoveryContract('consul', consulFixture, CONSUL_TRAITS);
lockContract('consul', consulFixture, CONSUL_TRAITS);

describe.concurrent('consul among others', { timeout: 120_000 }, () => {
  const [A, B] = ['10.0.0.1:2375', '10.0.0.2:2375'];
  const LONG_MS = 60_000;
  const signal = AbortSignal.timeout(10 * 60_000);
  const folder = mkdtempSync(join(tmpdir(), 'skep-consul-tls-'));
  const opened: Discovery[] = [];
  const servers: Consul[] = [];
  const start = async (options?: Parameters<typeof startConsul>[0]): Promise<Consul> => {
    const server = await startConsul(options);
    servers.push(server);
    return server;
  };
  const open = (rest: string, store: StoreOptions = {}): Discovery => {
    const discovery = consulDiscovery(rest, { heartbeatMs: 1000, store });
    opened.push(discovery);
    return discovery;
  };
  const locked = (rest: string, name: string): Lock => {
    const lock = open(rest).lock?.({ name, value: 'ours:4000', ttlMs: LONG_MS });
    if (!lock) throw new Error('consul:// has no lock');
    return lock;
  };
  let server: Consul;

  beforeAll(async () => {
    server = await start();
  }, 60_000);
  afterAll(async () => {
    for (const discovery of opened) await discovery.close?.();
    for (const one of servers) await one[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test('a key that somebody else holds becomes ours, without a gap', async () => {
    const rest = `${server.endpoint}/taken`;
    await open(rest).register(A, { ttlMs: LONG_MS, signal });
    await server.consul('kv', 'put', `taken/docker/swarm/nodes/${B}`, B);
    await server.consul('kv', 'put', 'taken/docker/swarm/nodes/');
    await using follower = new Follower(open(rest));
    await follower.shows([A, B]);
    const lists = follower.lists;
    const agent = open(rest);
    for (const address of [A, B]) {
      await agent.register(address, { ttlMs: LONG_MS, signal });
      const sessions = await server.consul('kv', 'get', '-detailed', `taken/docker/swarm/nodes/${address}`);
      expect(sessions).toMatch(/Session +[0-9a-f-]{36}/);
    }
    // What is registered afterwards is seen afterwards.
    await agent.register('10.0.0.3:2375', { ttlMs: LONG_MS, signal });
    await follower.shows([A, B, '10.0.0.3:2375']);
    expect(follower.lists).toBe(lists + 1);
  });

  test('somebody removes everything: the engines stay until they register again', async () => {
    const rest = `${server.endpoint}/wiped`;
    const agent = open(rest);
    await using follower = new Follower(open(rest));
    await agent.register(A, { ttlMs: LONG_MS, signal });
    await follower.shows([A]);
    await server.consul('kv', 'delete', '-recurse', 'wiped/');
    expect(await follower.troubled()).toContain('missing');
    expect(follower.addresses).toEqual([A]);
    await agent.register(A, { ttlMs: LONG_MS, signal });
    await follower.calm();
    expect(follower.addresses).toEqual([A]);
  });

  test("Consul's own lock and ours keep each other out", async () => {
    const command = await ensureConsul();
    // It locks `<prefix>/.lock` while its child runs.
    const theirs = (prefix: string, ...child: string[]): ReturnType<typeof spawn> =>
      spawn('setpriv', ['--pdeathsig', 'KILL', command, 'lock', `${prefix}/docker/swarm`, ...child], {
        env: { ...process.env, CONSUL_HTTP_ADDR: server.plainAddress },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const lock = locked(`${server.endpoint}/mixed`, '.lock');
    expect(await lock.acquire({ signal })).toEqual({ kind: 'held' });
    const waiting = theirs('mixed', 'echo locked; exec sleep 60');
    const exited = once(waiting, 'exit');
    try {
      let said = '';
      waiting.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      expect(await lock.renew({ signal })).toBe(true);
      expect(said).toBe('');
      await lock.release({ signal });
      await until('they have it', SOON_MS, () => said.includes('locked') || undefined);
      expect(await lock.acquire({ signal })).toMatchObject({ kind: 'taken' });
      expect(await lock.renew({ signal })).toBe(false);
    } finally {
      waiting.kill('SIGTERM');
      await exited;
    }
    await until('it is ours again', SOON_MS, async () =>
      (await lock.acquire({ signal })).kind === 'held' ? true : undefined,
    );
  });

  test('a Consul without a leader is trouble', async () => {
    const { endpoint } = await start({ leaderless: true });
    const discovery = open(endpoint);
    const trouble = { code: 'unavailable', message: expect.stringContaining('No cluster leader') as string };
    await expect(discovery.list({ signal })).rejects.toMatchObject(trouble);
    await expect(discovery.register(A, { ttlMs: LONG_MS, signal })).rejects.toMatchObject(trouble);
    await expect(locked(endpoint, 'leader').acquire({ signal })).rejects.toMatchObject(trouble);
    await using follower = new Follower(discovery);
    expect(await follower.troubled()).toContain('No cluster leader');
  });

  test('works over TLS, and says which of the two does not speak it', async () => {
    const ca = await makeCa(folder, 'ours');
    const HERE = 'subjectAltName=IP:127.0.0.1';
    const pair = await makePair(folder, ca, {
      name: 'server',
      extensions: ['extendedKeyUsage=serverAuth,clientAuth', HERE],
    });
    const client = { name: 'client', extensions: ['extendedKeyUsage=clientAuth'] };
    const tls = storeTls(ca, await makePair(folder, ca, client));
    const { endpoint } = await start({ tls: { ca: ca.cert, ...pair } });
    const discovery = open(`${endpoint}/tls`, { tls });
    await discovery.register(A, { ttlMs: LONG_MS, signal });
    expect(await discovery.list({ signal })).toEqual([{ address: A }]);
    await expect(open(endpoint).list({ signal })).rejects.toThrow(`Consul at ${endpoint} speaks TLS`);
    await expect(open(server.endpoint, { tls }).list({ signal })).rejects.toThrow('speaks plain text');
  });

  test.each([
    [404, 'not found', 'is no Consul'],
    [200, '<html>', 'is no Consul'],
    [200, '{}', 'is no Consul'],
    [403, 'Permission denied', 'answers 403: Permission denied'],
  ])('what answers %i %j is no empty list', async (status, text, words) => {
    const other: Server = createServer((_request, response) => response.writeHead(status).end(text));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const discovery = open(`127.0.0.1:${(other.address() as AddressInfo).port}`);
      const error: unknown = await discovery.list({ signal }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining(words) as string });
      await expect(discovery.register(A, { ttlMs: LONG_MS, signal })).rejects.toMatchObject({
        code: 'unavailable',
      });
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });
});
