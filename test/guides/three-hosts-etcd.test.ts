import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  noDockerConfig,
  run,
  startHosts,
  swarmImageArchive,
  until,
  type Host,
  type Hosts,
} from '../hosts/index.ts';
import { startRoundRobin } from '../virtual-host/round-robin.ts';
import { startEtcdMembers, type EtcdMembers } from './etcd-members.ts';
import { tryTyped, typed, typedAtTerminal } from './shell-lines.ts';

/*
 * Three hosts, each with a member of one etcd at its 127.0.0.1:2379, as the guide has it, and an engine on TCP 2376 and its
 * unix socket that keeps its overlay networks there. Lines are typed on the hosts as they stand in docs/guides.
 */
const MANY_MS = 120_000;
let hosts: Hosts;
let etcd: EtcdMembers | undefined;

beforeAll(async () => {
  const archive = await swarmImageArchive();
  hosts = await startHosts({
    count: 3,
    port: 2376,
    clusterStore: () => Promise.resolve('etcd://127.0.0.1:2379'),
    beforeEngines: async (all) => {
      etcd = await startEtcdMembers(all);
    },
  });
  await Promise.all([...hosts].map((host) => host.loadImages(archive)));
}, 180_000);

afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]();
  await hosts?.close();
}, 60_000);

/** The API of the manager on that host. */
const at = (index: number): string => `tcp://${hosts.at(index).ip}:2375`;

function infoAt(index: number): Promise<string> {
  return until(`three healthy nodes at ${at(index)}`, 30_000, async () => {
    const { stdout } = await tryTyped(hosts.at(0), `docker -H ${at(index)} info`);
    return stdout.match(/Status: Healthy/g)?.length === 3 ? stdout : undefined;
  });
}

/** Bytes in the words of docker info: "1.023 GiB". */
function inWords(bytes: number): string {
  const step = Math.min(5, Math.floor(Math.log2(bytes) / 10));
  const value = Number((bytes / 1024 ** step).toPrecision(4));
  return `${value} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][step]}`;
}

test(
  'an agent and a manager on each host, by the image: any of the three managers has all nodes',
  async () => {
    const started = 'docker run -d --net=host';
    const start = async (host: Host): Promise<void> => {
      const agent = `join --addr=${host.ip}:2376 etcd://127.0.0.1:2379`;
      await typed(host, `${started} --name swarm-agent swarm:latest ${agent}`);
      await typed(host, `${started} --name swarm-manager swarm:latest manage etcd://127.0.0.1:2379`);
    };
    await Promise.all([...hosts].map(start));
    for (const index of [0, 1, 2]) {
      const info = await infoAt(index);
      expect(info).toMatch(/^ ?Role: primary$/m);
      expect(info).toMatch(/^ ?Strategy: spread$/m);
      expect(info).toMatch(/^ ?Filters: health, port, containerslots, dependency, affinity, constraint/m);
      expect(info).toMatch(/^ ?Nodes: 3$/m);
      for (const host of hosts) expect(info).toContain(`${host.name}: ${host.ip}:2376`);
    }
  },
  MANY_MS,
);

test(
  'the totals are those of the engines, with five percent of memory on top',
  async () => {
    const totals = await Promise.all(
      [...hosts].map(async (host) => Number(await typed(host, "docker info -f '{{.MemTotal}}'"))),
    );
    const withOvercommit = totals.map((total) => Math.floor(total * 1.05));
    const info = await infoAt(1);
    const reserved = [...info.matchAll(/Reserved Memory: (.*)/g)].map(([, text]) => text);
    expect(reserved).toEqual(withOvercommit.map((total) => `0 B / ${inWords(total)}`));
    const sum = withOvercommit.reduce((a, b) => a + b);
    expect(info).toMatch(new RegExp(`^ ?Total Memory: ${inWords(sum).replace(' ', ' ?')}$`, 'm'));
  },
  MANY_MS,
);

test(
  'a network made through one manager is seen through another, and carries a page by a name',
  async () => {
    const [first] = hosts;
    if (first === undefined) return;
    await typed(first, `docker -H ${at(0)} network create --driver overlay my-net`);
    const names = await until('my-net at another manager', 30_000, async () => {
      const list = await typed(first, `docker -H ${at(1)} network ls --format '{{.Name}}'`);
      return list.split('\n').includes('my-net') ? list.split('\n') : undefined;
    });
    const local = [...hosts].flatMap(({ name }) => ['bridge', 'host', 'none'].map((net) => `${name}/${net}`));
    expect(names.filter((name) => !/docker_gwbridge$/.test(name)).sort()).toEqual(
      [...local, 'my-net'].sort(),
    );

    await typed(
      first,
      `docker -H ${at(0)} run -itd --name=web --net=my-net --env="constraint:node==core-01" nginx`,
    );
    const page = await until('the page', 60_000, () =>
      typedAtTerminal(
        first,
        `docker -H ${at(0)} run -it --rm --net=my-net --env="constraint:node==core-02" busybox wget -qO- http://web`,
      ),
    );
    expect(page).toMatch(/^<h1>nginx stand-in on \w+<\/h1>$/);
    const where = await typed(first, `docker -H ${at(2)} ps --format '{{.Names}} {{.Image}}'`);
    expect(where).toBe('core-01/web nginx');
  },
  MANY_MS,
);

test(
  'behind a balancer each step of a command may reach another manager',
  async () => {
    await using balancer = await startRoundRobin([...hosts].map(({ ip }) => `${ip}:2375`));
    const env = { DOCKER_CONFIG: noDockerConfig, DOCKER_HOST: balancer.host };
    for (const round of [1, 2, 3]) {
      const name = `round-${round}`;
      const said = await run('docker', ['run', '--rm', '-i', 'busybox', 'cat'], { env, input: `${name}\n` });
      expect(said).toBe(name);
      await run('docker', ['run', '-d', '--name', name, 'busybox', 'sleep', '1000'], { env });
      expect(await run('docker', ['exec', name, 'echo', 'hello'], { env })).toBe('hello');
      expect(await run('docker', ['rm', '-f', name], { env })).toBe(name);
    }
  },
  MANY_MS,
);
