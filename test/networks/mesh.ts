import { expect, test } from 'vitest';
import type { Host } from '../hosts/index.ts';
import type { TaskRow } from '../swarm-mode/services/service-swarm.ts';
import type { NetworkSwarm } from './network-swarm.ts';
import { at, fetchFrom, onHost, outside, tryFetch, type Place } from './places.ts';

/** What curl ends with where a connection is refused. */
const REFUSED = 7;

/** A published service and its virtual IP, as its users see them. `get` gives the swarm: its last host is plain. */
export function meshTests(get: () => NetworkSwarm): void {
  const plain = (): Host => get().at(get().hosts.all.length - 1);
  let tasks: readonly TaskRow[] = [];

  test('a published port is answered by every task on every node, asked from anywhere', async () => {
    const swarm = get();
    await swarm.docker('network', 'create', '--driver', 'overlay', '--attachable', 'my-net');
    // One host that balances has no task; the plain one has.
    const places = ['--replicas', '3', '--constraint', 'node.hostname!=core-03'];
    await swarm.serve('web', ['--network', 'my-net', ...places, '-p', '8080:80']);
    tasks = await swarm.running('web', 3);
    expect(tasks.some(({ Node }) => Node === 'core-03')).toBe(false);
    for (const { ip } of swarm.balancing) await swarm.answeredBy(outside, `http://${ip}:8080/`, tasks);
    for (const host of swarm.balancing) {
      const other = swarm.balancing.find((one) => one !== host) ?? host;
      for (const address of ['127.0.0.1', host.ip, other.ip])
        await swarm.answeredBy(onHost(host), `http://${address}:8080/`, tasks);
    }
    await swarm.answeredBy(onHost(plain()), `http://${swarm.at(2).ip}:8080/`, tasks);
  });

  test('its name leads to every task, from a container on any host', async () => {
    const swarm = get();
    for (const host of swarm.balancing) {
      const said = await host.docker('run', '--rm', '--network', 'my-net', 'busybox', 'sh', '-c', MANY);
      expect(namesIn(said), host.name).toEqual(idsOf(tasks));
    }
  });

  test('a task that asks for its own service may be answered by itself', async () => {
    const swarm = get();
    const address = await swarm.virtualIp('web', 'my-net');
    for (const task of tasks.filter(({ Node }) => Node !== plain().name)) {
      const inside = await swarm.inTask(task);
      await swarm.answeredBy(inside, `http://${address}/`, tasks);
      await swarm.answeredBy(inside, `http://${swarm.host(task.Node).ip}:8080/`, tasks);
    }
  });

  test('a plain node has tasks.NAME; virtual IPs and ports of the mesh answer nothing there', async () => {
    const swarm = get();
    const one = tasks.find(({ Node }) => Node === plain().name);
    if (!one) throw new Error('no task on the plain node');
    const said = await swarm.exec(one, 'sh', '-c', MANY.replaceAll('http://web', 'http://tasks.web'));
    for (const name of namesIn(said)) expect(idsOf(tasks)).toContain(name);
    const inside = await swarm.inTask(one);
    const address = await swarm.virtualIp('web', 'my-net');
    expect((await tryFetch(inside, `http://${address}/`)).code).not.toBe(0);
    expect((await tryFetch(outside, `http://${plain().ip}:8080/`)).code).not.toBe(0);
  });

  test('ports of hosts and names that mean tasks work on a plain node, too', async () => {
    const swarm = get();
    const options = ['--mode', 'global', '--endpoint-mode', 'dnsrr', '--network', 'my-net'];
    await swarm.serve('near', [...options, '-p', 'published=9090,target=80,mode=host']);
    const all = await swarm.running('near', swarm.hosts.all.length);
    for (const task of all)
      await swarm.answeredBy(outside, `http://${swarm.host(task.Node).ip}:9090/`, [task]);
    for (const task of all.filter(({ Node }) => [plain().name, 'core-01'].includes(Node))) {
      const said = await swarm.exec(task, 'sh', '-c', MANY.replaceAll('http://web', 'http://near'));
      for (const name of namesIn(said)) expect(idsOf(all)).toContain(name);
    }
    await swarm.remove('near');
  });

  test('several ports, ranges and udp lead to their targets, and follow updates', async () => {
    const swarm = get();
    // The last one is more than this kernel may carry; the others don't suffer.
    const ports = ['8200:8081', '8300-8301:9000-9001', '8053:53/udp', '8133:133/sctp'].flatMap((one) => [
      '-p',
      one,
    ]);
    const listens = ['tcp:8081', 'tcp:9000', 'tcp:9001', 'tcp:9500', 'udp:53'];
    await swarm.serve('many', ['--replicas', '2', ...ports], 'responder', ...listens);
    const both = await swarm.running('many', 2);
    for (const { ip } of swarm.balancing) {
      for (const port of [8200, 8300, 8301]) await swarm.answeredBy(outside, `http://${ip}:${port}/`, both);
      const answers = Array.from({ length: 16 }, () => askByUdp(outside, ip, 8053));
      expect(namesIn((await Promise.all(answers)).join('\n'))).toEqual(idsOf(both));
    }
    expect(namesIn(await askByUdp(onHost(swarm.at(0)), '127.0.0.1', 8053))).toHaveLength(1);
    await swarm.update(
      'many',
      '--update-parallelism',
      '0',
      '--publish-rm',
      '8081',
      '--publish-add',
      '8201:9500',
    );
    const next = await swarm.running('many', 2);
    for (const { ip } of swarm.balancing) {
      await swarm.answeredBy(outside, `http://${ip}:8201/`, next);
      expect((await tryFetch(outside, `http://${ip}:8200/`)).code, `${ip}:8200`).toBe(REFUSED);
    }
    await swarm.remove('many');
  });

  test('a service without tasks refuses at once', async () => {
    const swarm = get();
    await swarm.serve('client', ['--mode', 'global', '--network', 'my-net']);
    const clients = await swarm.running('client', swarm.hosts.all.length);
    await swarm.docker('service', 'scale', '-d', 'web=0');
    const address = await swarm.virtualIp('web', 'my-net');
    await swarm.running('web', 0);
    for (const host of swarm.balancing) {
      for (const [from, to] of [[outside, host.ip] as const, [onHost(host), '127.0.0.1'] as const])
        expect((await tryFetch(from, `http://${to}:8080/`)).code, `${host.name} ${to}`).toBe(REFUSED);
      const client = clients.find(({ Node }) => Node === host.name);
      if (!client) throw new Error(`no client on ${host.name}`);
      const inside = await swarm.inTask(client);
      expect((await tryFetch(inside, `http://${address}/`)).code, host.name).toBe(REFUSED);
    }
    await swarm.docker('service', 'scale', 'web=1');
    const one = await swarm.running('web', 1);
    for (const { ip } of swarm.balancing) await swarm.answeredBy(outside, `http://${ip}:8080/`, one);
    expect(await fetchFrom(outside, `http://${swarm.at(0).ip}:8080/`)).toMatch(/^\w{25} /);
    await swarm.remove('web', 'client');
  });
}

/** Asks often enough that each of a few tasks has its turn. */
const MANY = 'for i in $(seq 24); do wget -qO- http://web/; done';

const idsOf = (tasks: readonly TaskRow[]): string[] => tasks.map(({ ID }) => ID).sort();
const namesIn = (said: string): string[] =>
  [
    ...new Set(
      said
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' ')[0] ?? ''),
    ),
  ].sort();

/** One datagram to the tests' server: its answer, '' where none came. */
async function askByUdp(from: Place, ip: string, port: number): Promise<string> {
  const script = `exec 3<>/dev/udp/${ip}/${port}; echo hello >&3; timeout 3 head -n 1 <&3`;
  return (await at(from, 'bash', '-c', script)).stdout.trim();
}
