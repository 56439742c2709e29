import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, startHosts, until, type Hosts } from '../hosts/index.ts';
import { tlsArgs } from '../hosts/tls.ts';
import { startConsul } from '../stores/consul.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { startZooKeeper } from '../stores/zookeeper.ts';
import { primaryOf, registerEngines, startMembers, stopAll, type Member } from './managers.ts';
import { startSwarm } from './manager.ts';
import { call } from './raw.ts';

const TTL = ['--replication-ttl', '5s'];
const LONG_MS = 120_000;
/** Longer than one question to an engine may take. */
const HANG_MS = 4_000;

interface Store extends AsyncDisposable {
  readonly endpoint: string;
}

let hosts: Hosts;
let made = 0;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
});

afterAll(async () => {
  await hosts.close();
});

/** A name that no other container has had. */
const newName = (): string => `c${(made += 1)}`;

async function create(member: Member, name: string): Promise<number> {
  const { status } = await call(member.url, 'POST', `/v1.41/containers/create?name=${name}`, {
    body: { Image: 'busybox', Cmd: ['sleep', '1000'] },
    signal: AbortSignal.timeout(60_000),
  });
  return status;
}

/** How many containers of this name there are, asked at the engines themselves. */
async function countNamed(name: string): Promise<number> {
  const filter = `name=^/${name}$`;
  const lists = await Promise.all(
    [...hosts].map((host) => host.docker('ps', '-aq', '--filter', filter).then((text) => text.split('\n'))),
  );
  return lists.flat().filter((id) => id !== '').length;
}

const STORES: [string, () => Promise<Store>][] = [
  ['etcd', () => startEtcd()],
  ['consul', () => startConsul()],
  ['zk', () => startZooKeeper()],
];

async function replicaOf(members: readonly Member[]): Promise<Member> {
  const primary = await primaryOf(members);
  const replica = members.find((member) => member !== primary);
  if (!replica) throw new Error('no replica');
  return replica;
}

describe.each(STORES)('several managers over %s', { timeout: LONG_MS }, (scheme, startStore) => {
  let store: Store;
  let discovery: string;
  let members: Member[] = [];

  beforeAll(async () => {
    store = await startStore();
    discovery = `${scheme}://${store.endpoint}/replication`;
    await registerEngines(discovery, hosts);
    members = await startMembers(hosts, { count: 3, discovery, args: TTL });
  }, LONG_MS);

  afterAll(async () => {
    await stopAll(members);
    await store[Symbol.asyncDispose]();
  });

  it('a replica passes on whatever the docker CLI does', async () => {
    const replica = await replicaOf(members);
    const name = newName();
    await replica.docker('run', '-d', '--name', name, 'busybox', 'sleep', '1000');
    expect(await replica.docker('exec', name, 'echo', 'by exec')).toBe('by exec');
    const echoed = await replica.tryDocker(['exec', '-i', name, 'cat'], { input: 'there and back\n' });
    expect(echoed).toEqual({ code: 0, stdout: 'there and back\n', stderr: '' });
    expect(await replica.docker('run', '--rm', 'busybox', 'sh', '-c', 'echo out; exit 0')).toBe('out');
    const failed = await replica.tryDocker(['run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; exit 7'], {
      input: 'in\n',
    });
    expect([failed.code, failed.stdout]).toEqual([7, 'in\n']);
    expect(await replica.docker('logs', name)).toBe('');
    const tar = await run('sh', ['-c', 'cd /etc && tar c hostname | base64 -w0']);
    const put = await replica.tryDocker(['cp', '-', `${name}:/tmp`], { input: Buffer.from(tar, 'base64') });
    expect(put.code, put.stderr).toBe(0);
    expect(await replica.docker('exec', name, 'ls', '/tmp')).toBe('hostname');
    await replica.docker('rm', '-f', name);
  });

  it('is followed when it is stopped, and what waits at a replica gets through', async () => {
    const primary = await primaryOf(members);
    members = members.filter((member) => member !== primary);
    const [one, two] = members;
    if (!one || !two) throw new Error('no replicas');
    await primary.stop();
    const name = newName();
    expect(await create(one, name)).toBe(201);
    expect(await create(two, newName())).toBe(201);
    expect(await countNamed(name)).toBe(1);
  });

  it('is followed when it is killed', async () => {
    const primary = await primaryOf(members);
    const replica = await replicaOf(members);
    const former = newName();
    expect(await create(replica, former)).toBe(201);
    primary.signal('SIGKILL');
    await primary.stop();
    const name = newName();
    expect(await create(replica, name)).toBe(201);
    expect(await create(replica, former)).toBe(409);
    expect([await countNamed(name), await countNamed(former)]).toEqual([1, 1]);
    members = members.filter((member) => member !== primary);
  });
});

describe('several managers that are cut off', { timeout: LONG_MS }, () => {
  let etcd: Etcd;
  let discovery: string;
  let members: Member[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    discovery = `etcd://${etcd.endpoint}/cut-off`;
    await registerEngines(discovery, hosts);
    members = await startMembers(hosts, { count: 2, discovery, args: TTL });
  }, LONG_MS);

  afterAll(async () => {
    await stopAll(members);
    await etcd[Symbol.asyncDispose]();
  });

  it('follows the new primary after it was frozen, and ends events', async () => {
    const primary = await primaryOf(members);
    const replica = await replicaOf(members);
    const events = spawn('docker', ['-H', replica.host, 'events'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const eventsOver = new Promise((resolve) => events.once('exit', resolve));
    try {
      let told = '';
      events.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
      // The stream is open once it tells of something.
      await until('an event', 30_000, async () => {
        await create(replica, newName());
        return told.includes('container create') ? true : undefined;
      });
      primary.signal('SIGSTOP');
      const name = newName();
      const asked = create(primary, name);
      // What the frozen one has got may be done or not: that is an error, and never done twice.
      const sent = newName();
      expect([201, 500]).toContain(await create(replica, sent));
      await eventsOver;
      expect(await create(replica, newName())).toBe(201);
      expect(await countNamed(sent)).toBeLessThan(2);
      primary.signal('SIGCONT');
      // It was asked while it was frozen and believed to lead: now it passes on what it may not do.
      expect([201, 500]).toContain(await asked);
      expect(await countNamed(name)).toBeLessThan(2);
      const next = await primaryOf(members);
      expect(next).not.toBe(primary);
      expect(await create(primary, newName())).toBe(201);
    } finally {
      events.kill('SIGKILL');
      primary.signal('SIGCONT');
    }
  });

  it('places nothing while the store is gone, and again when it is back', async () => {
    await primaryOf(members);
    etcd.pause();
    try {
      await until('nobody leads', 60_000, async () => {
        const roles = await Promise.all(members.map((member) => member.role()));
        return roles.every(({ role }) => role === 'replica') || undefined;
      });
    } finally {
      etcd.resume();
    }
    await primaryOf(members);
    for (const member of members) expect(await create(member, newName())).toBe(201);
    await etcd.restart();
    await primaryOf(members);
    for (const member of members) expect(await create(member, newName())).toBe(201);
  });

  it('gives no name twice that the primary before it was giving at an engine that hangs', async () => {
    const primary = await primaryOf(members);
    const replica = await replicaOf(members);
    const [hanging] = hosts.all;
    if (!hanging) throw new Error('no host');
    const placed = async (): Promise<string | undefined> =>
      /^skep_placements_total\S* (\d+)/m.exec((await call(primary.url, 'GET', '/metrics')).text)?.[1];
    const before = await placed();
    const name = newName();
    hanging.pause();
    try {
      const lost = call(primary.url, 'POST', `/v1.41/containers/create?name=${name}`, {
        body: { Image: 'busybox', Env: [`constraint:node==${hanging.name}`] },
      }).catch(() => undefined);
      await until('a create on its way to the engine', 30_000, async () =>
        (await placed()) === before ? undefined : true,
      );
      await primary.stop();
      members = members.filter((member) => member !== primary);
      await lost;
      const again = create(replica, name);
      await until('the next primary', 60_000, async () =>
        (await replica.role()).role === 'primary' ? true : undefined,
      );
      await sleep(HANG_MS);
      hanging.resume();
      expect([201, 409]).toContain(await again);
      expect(await countNamed(name)).toBe(1);
    } finally {
      hanging.resume();
    }
  });

  it('warns of an address that leads nowhere, and of one that another manager has', async () => {
    const args = ['--replication', '--advertise', '127.0.0.1:1'];
    const wrong = { args, discovery: `etcd://${etcd.endpoint}/wrong`, healthy: 0 };
    await using first = await startSwarm(hosts, wrong);
    await until(
      'a warning',
      60_000,
      () => /cannot be reached at its --advertise address/.test(first.log()) || undefined,
    );
    await until('a leader', 60_000, () => /leadership acquired/.test(first.log()) || undefined);
    await using second = await startSwarm(hosts, wrong);
    await until(
      'a warning',
      60_000,
      () => /leads under the --advertise address of this one/.test(second.log()) || undefined,
    );
    expect(await second.docker('info')).toMatch(/^ ?Primary: \(none\)$/m);
  });

  it('speaks TLS between managers', async () => {
    await using secured = await startHosts({ count: 1, tls: true });
    const { tls, ownTls } = secured.at(0);
    if (!tls || !ownTls) throw new Error('the hosts have no TLS');
    const cliArgs = ['--tlsverify', ...tlsArgs(tls)];
    const args = [...TTL, '--tlsverify', ...tlsArgs(ownTls)];
    const over = `etcd://${etcd.endpoint}/tls`;
    await registerEngines(over, secured);
    const both = await startMembers(secured, { count: 2, discovery: over, args, cliArgs });
    try {
      const replica = await replicaOf(both);
      const input = 'x'.repeat(300_000);
      const echoed = await replica.tryDocker(['run', '--rm', '-i', 'busybox', 'cat'], { input });
      expect([echoed.code, echoed.stdout === input, echoed.stderr]).toEqual([0, true, '']);
    } finally {
      await stopAll(both);
    }
  });
});
