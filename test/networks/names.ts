import { expect, test } from 'vitest';
import type { Host } from '../hosts/index.ts';
import { eventually, type ServiceSwarm } from '../swarm-mode/services/service-swarm.ts';
import { placesOf } from '../swarm-mode/stacks/names.ts';

const AT_ONCE = ['--update-monitor', '100ms', '--update-parallelism', '0', '--init'];
const EACH = ['--replicas', '3', '--replicas-max-per-node', '1', ...AT_ONCE];
const SLEEP = ['busybox', 'sleep', '1000'];
/** Engines compare all that they know every 30 s; what they missed they learn then. */
const GOSSIP_MS = 75_000;

const MINUTES_MS = 150_000;

/** The addresses of a name, as a container's own name server has them, in order; '' where it has none. */
async function meaning(host: Host, container: string, name: string): Promise<string> {
  const { stdout } = await host.tryDocker('exec', container, 'nslookup', name, '127.0.0.11');
  const [, ...answers] = stdout.split(/^Name:/m);
  return answers
    .flatMap((answer) => /^Address: (\S+)/m.exec(answer)?.[1] ?? [])
    .sort()
    .join(' ');
}

/** Waits until names mean just that to the container `probe` of every host. */
async function mean(swarm: ServiceSwarm, wanted: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const looks = swarm.hosts.all.flatMap((host) =>
    Object.entries(wanted).map(async ([name, addresses]) => {
      const all = [...addresses].sort().join(' ');
      let last = '';
      await eventually(
        `${name} on ${host.name}`,
        async () => ((last = await meaning(host, 'probe', name)) === all ? true : undefined),
        GOSSIP_MS,
      ).catch(() => expect(`${host.name}: ${name}: ${last}`).toBe(`${host.name}: ${name}: ${all}`));
    }),
  );
  await Promise.all(looks);
}

async function vipsOf(swarm: ServiceSwarm, service: string): Promise<Record<string, string>> {
  const shown = await swarm.inspect(service, '{{json .Endpoint.VirtualIPs}}');
  const vips = (JSON.parse(shown) ?? []) as { readonly NetworkID: string; readonly Addr: string }[];
  const named = vips.map(async ({ NetworkID, Addr }): Promise<[string, string]> => [
    await swarm.docker('network', 'inspect', '--format', '{{.Name}}', NetworkID),
    Addr.replace(/\/.*/, ''),
  ]);
  return Object.fromEntries(await Promise.all(named));
}

/** What names mean to containers on engines of both versions, wherever a task or a container is. `get` gives the swarm. */
export function nameTests(get: () => ServiceSwarm): void {
  test(
    'of a service is its virtual IP, or its tasks; tasks.NAME its tasks; an alias the service',
    { timeout: MINUTES_MS },
    async () => {
      const swarm = get();
      await swarm.docker('network', 'create', '-d', 'overlay', '--attachable', 'front');
      for (const host of swarm.hosts)
        await host.docker('run', '-d', '--name', 'probe', '--network', 'front', ...SLEEP);
      await Promise.all([
        swarm.create('web', [...EACH, '--network', 'name=front,alias=www'], 'nginx'),
        swarm.create(
          'each',
          [...EACH, '--network', 'name=front,alias=all', '--endpoint-mode', 'dnsrr'],
          ...SLEEP,
        ),
      ]);
      const { front = '' } = await vipsOf(swarm, 'web');
      const { addresses: webs } = await placesOf(swarm, 'web', 'front');
      const { addresses: eaches } = await placesOf(swarm, 'each', 'front');
      await mean(swarm, {
        ...{ web: [front], www: [front], 'tasks.web': webs },
        ...{ each: eaches, all: eaches, 'tasks.each': eaches },
      });
    },
  );

  test('of a container is known on every host, and goes with it', { timeout: MINUTES_MS }, async () => {
    const swarm = get();
    const [first, second] = [swarm.hosts.at(0), swarm.hosts.at(2)];
    await second.docker(
      'run',
      '-d',
      '--name',
      'solo',
      '--network',
      'front',
      '--network-alias',
      'nick',
      ...SLEEP,
    );
    const shown = '{{.NetworkSettings.Networks.front.IPAddress}}';
    const address = await second.docker('inspect', '--format', shown, 'solo');
    await mean(swarm, { solo: [address], nick: [address] });
    await second.docker('rm', '-f', 'solo');
    await eventually('it is gone', async () => (await meaning(first, 'probe', 'solo')) === '' || undefined);
  });

  test('follows a service to other networks, one virtual IP on each', { timeout: MINUTES_MS }, async () => {
    const swarm = get();
    await swarm.docker('network', 'create', '-d', 'overlay', '--attachable', 'back');
    const before = await vipsOf(swarm, 'web');
    await swarm.update('web', '--network-add', 'name=back,alias=hind');
    const both = await vipsOf(swarm, 'web');
    expect(Object.keys(both).sort()).toEqual(['back', 'front']);
    expect(both['front']).toBe(before['front']);
    for (const host of swarm.hosts) await host.docker('network', 'connect', 'back', 'probe');
    const { addresses } = await placesOf(swarm, 'web', 'back');
    await mean(swarm, { hind: [both['back'] ?? ''], 'tasks.hind': addresses, www: [both['front'] ?? ''] });
    await swarm.update('web', '--network-rm', 'front');
    expect(await vipsOf(swarm, 'web')).toEqual({ back: both['back'] });
    await mean(swarm, { web: [both['back'] ?? ''], www: [] });
  });

  test(
    'is that of the next service on the same subnet while the former one still ends',
    { timeout: MINUTES_MS },
    async () => {
      const swarm = get();
      const subnet = ['--subnet', '10.62.0.0/24'];
      const slow = ['busybox', 'sh', '-c', "trap 'sleep 3; exit' TERM; while :; do sleep 1; done"];
      await swarm.docker('network', 'create', '-d', 'overlay', ...subnet, 'again');
      await swarm.create('former', [...AT_ONCE, '--stop-signal', 'TERM', '--network', 'again'], ...slow);
      await swarm.docker('service', 'rm', 'former');
      await swarm.docker('network', 'rm', 'again');
      await swarm.docker('network', 'create', '-d', 'overlay', ...subnet, 'again');
      await swarm.create('next', [...EACH, '--network', 'again'], ...SLEEP);
      const tasks = await swarm.running('next', 3);
      const { again = '' } = await vipsOf(swarm, 'next');
      expect(again).toMatch(/^10\.62\.0\./);
      const [task] = tasks;
      const host = swarm.host(task?.Node ?? '');
      await eventually(
        'its name',
        async () => (await meaning(host, `${task?.Name}.${task?.ID}`, 'next')) === again || undefined,
      );
      await swarm.remove('web', 'each', 'next');
    },
  );
}
