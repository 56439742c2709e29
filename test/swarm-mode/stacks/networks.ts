import { expect, test } from 'vitest';
import { until, type Host } from '../../hosts/index.ts';
import type { ServiceSwarm } from '../services/service-swarm.ts';
import { meansTo, pagesFor, placesOf } from './names.ts';

const AT_ONCE = ['--update-monitor', '100ms', '--init'];
const EACH = ['--replicas', '3', '--replicas-max-per-node', '1', ...AT_ONCE];
const SLEEP = ['busybox', 'sleep', '1000'];

interface NetworkJson {
  readonly Id: string;
  readonly Scope: string;
  readonly Containers: Readonly<Record<string, { readonly Name: string }>> | null;
  readonly IPAM: { readonly Config: readonly { readonly Subnet: string; readonly Gateway: string }[] };
}

/** Networks of the swarm, and the tasks on them. */
export function networkTests(get: () => ServiceSwarm): void {
  const shown = async (name: string, ...options: string[]): Promise<NetworkJson> =>
    (JSON.parse(await get().docker('network', 'inspect', ...options, name)) as [NetworkJson])[0];
  const names = async (...filters: string[]): Promise<string[]> => {
    const all = await get().docker('network', 'ls', '--format', '{{.Name}}', ...filters);
    return all.split('\n').sort();
  };
  const idsOn = async (host: Host, name: string): Promise<string> =>
    host.docker('network', 'ls', '-q', '--no-trunc', '-f', `name=^${name}$`);

  test.concurrent('the ingress network is on every engine', async () => {
    const swarm = get();
    const { Id, IPAM } = await shown('ingress');
    expect(IPAM.Config).toEqual([{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' }]);
    for (const host of swarm.hosts)
      await until(
        `${host.name} has it`,
        20_000,
        async () => (await idsOn(host, 'ingress')) === Id || undefined,
      );
    expect(await swarm.refused('network', 'create', '-d', 'overlay', '--ingress', 'second')).toContain(
      `ingress network (${Id}) is already present`,
    );
  });

  test.concurrent('networks are made, listed, shown and removed', async () => {
    const swarm = get();
    const create = ['network', 'create', '-d', 'overlay'];
    const address = ['--subnet', '10.44.0.0/24', '--gateway', '10.44.0.9', '--ip-range', '10.44.0.128/25'];
    const id = await swarm.docker(
      ...[...create, ...address, '--label', 'of=bees', '--attachable', '--internal', '--opt', 'a=b', 'plain'],
    );
    expect(await shown('plain')).toMatchObject({
      ...{ Name: 'plain', Id: id, Scope: 'swarm', Driver: 'overlay', EnableIPv6: false },
      ...{ Internal: true, Attachable: true, Ingress: false, Containers: null, Labels: { of: 'bees' } },
      IPAM: {
        Driver: 'default',
        Config: [{ Subnet: '10.44.0.0/24', Gateway: '10.44.0.9', IPRange: '10.44.0.128/25' }],
      },
      Options: {
        a: 'b',
        'com.docker.network.driver.overlay.vxlanid_list': expect.stringMatching(/^\d+$/) as string,
      },
    });
    expect((await shown('plain', '-v')).Id).toBe(id);
    expect((await shown(id.slice(0, 10))).Id).toBe(id);
    expect(await names('-f', 'label=of=bees')).toEqual(['plain']);
    expect(await names('-f', 'driver=overlay', '-f', 'name=plai')).toEqual(['plain']);
    expect(await names('-f', 'scope=swarm')).toEqual(expect.arrayContaining(['ingress', 'plain']));
    expect(await names()).toEqual(expect.arrayContaining(['bridge', 'host', 'ingress', 'none', 'plain']));
    expect(await swarm.refused(...create, 'plain')).toContain('network with name plain already exists');
    expect(await swarm.refused(...create, '--subnet', '10.44.0.0/16', 'wide')).toContain('overlaps');
    expect(await swarm.refused(...create, '--subnet', 'nowhere', 'odd')).toContain('invalid subnet nowhere');
    expect(await swarm.refused('network', 'create', 'ingress')).toContain('already exists');
    expect(await swarm.docker('network', 'rm', 'plain')).toBe('plain');
    expect(await swarm.refused('network', 'inspect', 'plain')).toContain('No such network: plain');
    expect(await swarm.refused('network', 'rm', 'plain')).toContain('No such network: plain');
  });

  test.concurrent('tasks on engines of both versions reach one another by name', async () => {
    const swarm = get();
    for (const name of ['front', 'unused'])
      await swarm.docker('network', 'create', '-d', 'overlay', '--label', 'to=prune', name);
    await Promise.all([
      swarm.create('web', [...EACH, '--network', 'name=front,alias=www'], 'nginx'),
      swarm.create(
        'each',
        ['--mode', 'global', ...AT_ONCE, '--network', 'name=front,alias=all', '--endpoint-mode', 'dnsrr'],
        ...SLEEP,
      ),
    ]);
    const [servers, clients] = [await swarm.running('web', 3), await swarm.running('each', 3)];
    const { addresses: places, pages } = await placesOf(swarm, 'web', 'front');
    const { addresses: others } = await placesOf(swarm, 'each', 'front');
    const vip = await swarm.inspect('web', '{{(index .Endpoint.VirtualIPs 0).Addr}}');
    const service = [vip.replace(/\/.*/, '')];
    const wanted = {
      ...{ 'tasks.web': places, web: service, www: service },
      ...{ 'tasks.each': others, each: others, all: others },
    };
    const pings = others.map((address) => `ping -c 1 -w 5 ${address}`).join(' && ');
    const looks = clients.map(async (client) => {
      await meansTo(swarm, client, wanted);
      expect(await pagesFor(swarm, client, places)).toEqual(pages);
      const answers = await swarm.exec(client, 'sh', '-c', pings);
      expect(answers.match(/1 packets received/g)).toHaveLength(others.length);
    });
    await Promise.all(looks);

    // The manager's engine knows its containers; of a network that is not there, the swarm's side is shown.
    const here = [...servers, ...clients].filter(({ Node }) => Node === 'core-01');
    const { Id, Containers } = await shown('front');
    const listed = Object.values(Containers ?? {}).map(({ Name }) => Name);
    expect(listed).toEqual(expect.arrayContaining(here.map(({ Name, ID }) => `${Name}.${ID}`)));
    const verbose = JSON.stringify(await shown('front', '-v'));
    for (const address of [...places, ...others]) expect(verbose).toContain(`"${address}"`);
    expect((await shown('unused')).Containers).toBeNull();
    for (const host of swarm.hosts) {
      expect(await idsOn(host, 'front')).toBe(Id);
      if (host.name !== 'core-01') expect(await idsOn(host, 'unused')).toBe('');
    }

    expect(await swarm.refused('network', 'rm', 'front')).toMatch(
      /network \w{25} is in use by service \w{25}/,
    );
    const pruned = await swarm.docker('network', 'prune', '-f', '--filter', 'label=to=prune');
    expect(pruned.split('\n')).toEqual(['Deleted Networks:', 'unused', '']);
    await swarm.remove('web', 'each');
    await swarm.docker('network', 'rm', 'front');
    for (const host of swarm.hosts)
      await until(
        `${host.name} gave it up`,
        30_000,
        async () => (await idsOn(host, 'front')) === '' || undefined,
      );
  });

  test.concurrent('a name is free at once, while containers of the former network still end', async () => {
    const swarm = get();
    const start = async (service: string): Promise<string> => {
      const id = await swarm.docker('network', 'create', '-d', 'overlay', 'reused');
      await swarm.create(service, ['--mode', 'global', ...AT_ONCE, '--network', 'reused'], ...SLEEP);
      return id;
    };
    const former = await start('first');
    await swarm.remove('first');
    await swarm.docker('network', 'rm', 'reused');
    expect(await swarm.refused('network', 'inspect', 'reused')).toContain('No such network: reused');
    const next = await start('second');
    expect(next).not.toBe(former);
    expect((await shown('reused')).Id).toBe(next);
    expect(await names('-f', 'name=^reused$')).toEqual(['reused']);
    const [one] = await swarm.running('second', 3);
    const { addresses } = await placesOf(swarm, 'second', 'reused');
    if (one) await meansTo(swarm, one, { 'tasks.second': addresses });
    await swarm.remove('second');
    await swarm.docker('network', 'rm', 'reused');
  });

  test.concurrent('a name follows its task to another host', async () => {
    const swarm = get();
    await swarm.docker('network', 'create', '-d', 'overlay', 'moving');
    const at = (host: string): string => `node.hostname==${host}`;
    await swarm.create('home', [...AT_ONCE, '--network', 'moving', '--constraint', at('core-01')], ...SLEEP);
    await swarm.create('bee', [...AT_ONCE, '--network', 'moving', '--constraint', at('core-02')], 'nginx');
    const [home] = await swarm.running('home', 1);
    if (!home) throw new Error('no task');
    const reads = async (): Promise<void> => {
      await swarm.running('bee', 1);
      const { addresses, pages } = await placesOf(swarm, 'bee', 'moving');
      await meansTo(swarm, home, { 'tasks.bee': addresses });
      expect(await pagesFor(swarm, home, addresses)).toEqual(pages);
    };
    await reads();
    await swarm.update('bee', '--constraint-rm', at('core-02'), '--constraint-add', at('core-03'));
    const [moved] = await swarm.tasksWhen('bee', ([one]) => one?.Node === 'core-03');
    expect(moved?.Node).toBe('core-03');
    await reads();
    await swarm.remove('home', 'bee');
    await swarm.docker('network', 'rm', 'moving');
  });
}
