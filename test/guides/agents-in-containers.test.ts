import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHosts, swarmImageArchive, until, type Host, type Hosts } from '../hosts/index.ts';
import { startEtcdMembers, type EtcdMembers } from './etcd-members.ts';
import { tryTyped, typed } from './shell-lines.ts';

/*
 * Two hosts whose engines listen on 2375 and 2376. The first one's etcd has the v2 keys alone, as in the guide's time;
 * the second one's has those and v3's.
 */
const MANY_MS = 120_000;
const SOON_MS = 30_000;
let hosts: Hosts;
let old: EtcdMembers | undefined;
let both: EtcdMembers | undefined;

beforeAll(async () => {
  const archive = await swarmImageArchive();
  hosts = await startHosts({
    count: 2,
    engine: ['20.10', '28.5'],
    extraDockerdArgs: ['-H', 'tcp://0.0.0.0:2376'],
  });
  old = await startEtcdMembers([hosts.at(0)], { onlyV2: true });
  both = await startEtcdMembers([hosts.at(1)]);
  await Promise.all([...hosts].map((host) => host.loadImages(archive)));
}, 180_000);

afterAll(async () => {
  await Promise.all([old?.[Symbol.asyncDispose](), both?.[Symbol.asyncDispose]()]);
  await hosts?.close();
}, 60_000);

const etcdctl = (host: Host, words: string): Promise<string> => typed(host, `etcdctl ${words}`, both?.bin);

/** What a container has written, once that is in it. */
function logOf(host: Host, container: string, wanted: RegExp): Promise<string> {
  return until(`the log of ${container} with ${wanted}`, SOON_MS, async () => {
    const log = await typed(host, `docker logs ${container} 2>&1`);
    return wanted.test(log) ? log : undefined;
  });
}

/** docker info of a manager, once that is in it. */
function infoAt(host: Host, port: number, wanted: RegExp): Promise<string> {
  return until(`${wanted} in docker info of ${host.name}:${port}`, SOON_MS, async () => {
    const { stdout } = await tryTyped(host, `docker -H tcp://${host.ip}:${port} info 2>&1`);
    return wanted.test(stdout) ? stdout : undefined;
  });
}

test(
  'etcd is there and has nothing of us',
  async () => {
    const { ip, name } = hosts.at(0);
    expect(await etcdctl(hosts.at(0), 'member list')).toContain(`name=${name} peerURLs=http://${ip}:2380`);
    expect(await etcdctl(hosts.at(0), 'ls')).toBe('');
  },
  MANY_MS,
);

test(
  'an agent that cannot register says why in its log',
  async () => {
    const host = hosts.at(0);
    const id = await typed(
      host,
      `docker run -d swarm join --addr=${host.ip}:2376 etcd://127.0.0.1:2379/swarm`,
    );
    const log = await logOf(host, id, /Cannot register/);
    expect(log).toMatch(
      /level=error msg="Cannot register, trying again" .*err="etcd at 127\.0\.0\.1:2379 refuses connections: nothing listens there"/,
    );
    await typed(host, `docker rm -f ${id}`);
  },
  MANY_MS,
);

test(
  'a manager that cannot reach its store says why, in its log and in docker info',
  async () => {
    const host = hosts.at(0);
    const id = await typed(host, 'docker run -d -p 8333:2375 swarm manage etcd://127.0.0.1:2379/swarm');
    const info = await infoAt(host, 8333, /refuses/);
    expect(info).toMatch(/^ ?Discovery: etcd at 127\.0\.0\.1:2379 refuses connections/m);
    expect(info).toMatch(/^ ?Nodes: 0$/m);
    expect(info).not.toContain('WARNING');
    expect(await logOf(host, id, /refuses/)).toContain('127.0.0.1:2379');
    await typed(host, `docker rm -f ${id}`);
  },
  MANY_MS,
);

test(
  'with the address of the host they register, and a published manager has them',
  async () => {
    const [first, second] = [hosts.at(0), hosts.at(1)];
    const store = `etcd://${first.ip}:2379/swarm`;
    for (const host of hosts) {
      const id = await typed(host, `docker run -d swarm join --addr=${host.ip}:2376 ${store}`);
      await logOf(host, id, /msg=Registered/);
    }
    const keys = (await etcdctl(first, 'ls -r /swarm')).split('\n');
    const folder = '/swarm/docker/swarm/nodes';
    expect(keys).toEqual(expect.arrayContaining([...hosts].map(({ ip }) => `${folder}/${ip}:2376`)));

    await typed(first, `docker run -d -p 8333:2375 swarm manage ${store}`);
    const info = await infoAt(first, 8333, /(Status: Healthy[^]*){2}/);
    expect(info).toMatch(/^ ?Nodes: 2$/m);
    for (const host of hosts) expect(info).toContain(`${host.name}: ${host.ip}:2376`);

    const docker = `docker -H tcp://${first.ip}:8333`;
    await typed(second, `${docker} run -d --name web nginx`);
    const rows = async (all: string): Promise<string[]> =>
      (await typed(second, `${docker} ps ${all} --format '{{.Image}}'`)).split('\n').sort();
    expect(await rows('')).toEqual(['nginx']);
    expect(await rows('-a')).toEqual(['nginx', 'swarm', 'swarm', 'swarm']);
  },
  MANY_MS,
);

test(
  'a manager and an engine that both want 2375 are told so',
  async () => {
    const host = hosts.at(0);
    const store = `etcd://${host.ip}:2379/swarm`;
    const published = await tryTyped(host, `docker run -d -p 2375:2375 swarm manage ${store}`);
    expect(published.code).not.toBe(0);
    expect(published.stderr).toMatch(/2375.*(address already in use|port is already allocated)/);
    const id = await typed(host, `docker run -d --net=host swarm manage ${store}`);
    const said = await logOf(host, id, /already in use/);
    expect(said).toMatch(/level=fatal msg="listen tcp .*:2375: address already in use\. Choose another port/);
    expect(await typed(host, `docker wait ${id}`)).toBe('1');
    await typed(host, `docker rm ${id}`);
  },
  MANY_MS,
);

test(
  'v2 and v3 keys of one etcd are separate worlds, and a manager says when it is in the wrong one',
  async () => {
    const host = hosts.at(1);
    const store = `etcd://${host.ip}:2379/swarm`;
    const agent = await typed(
      host,
      `docker run -d swarm join --addr=${host.ip}:2376 --discovery-opt etcd.api=2 ${store}`,
    );
    await logOf(host, agent, /msg=Registered/);
    expect(await etcdctl(host, 'ls /swarm/docker/swarm/nodes')).toContain(`${host.ip}:2376`);

    await typed(host, `docker run -d -p 8334:2375 swarm manage ${store}`);
    expect(await infoAt(host, 8334, /etcd\.api=2/)).toMatch(/^ ?Nodes: 0$/m);
    await typed(host, `docker run -d -p 8335:2375 swarm manage --discovery-opt etcd.api=2 ${store}`);
    expect(await infoAt(host, 8335, /Status: Healthy/)).toMatch(/^ ?Nodes: 1$/m);
  },
  MANY_MS,
);
