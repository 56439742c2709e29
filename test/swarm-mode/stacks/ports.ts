import { expect, test } from 'vitest';
import { until } from '../../hosts/index.ts';
import type { ServiceSwarm } from '../services/service-swarm.ts';
import { placesOf } from './names.ts';

const AT_ONCE = ['--update-monitor', '100ms'];

/** Published ports, as far as they are the manager's. */
export function portTests(get: () => ServiceSwarm): void {
  test.concurrent('ports of the swarm are given out, shown, and had by one service only', async () => {
    const swarm = get();
    const create = ['service', 'create', '-d', '--no-resolve-image', '--replicas', '0'];
    await swarm.create('open', [...AT_ONCE, '-p', '8080:80', '-p', '81', '-p', '53:53/udp'], 'nginx');
    const ports = await swarm.inspect(
      'open',
      '{{range .Endpoint.Ports}}{{.Protocol}}:{{.PublishedPort}}:{{.TargetPort}}:{{.PublishMode}} {{end}}',
    );
    expect(ports).toMatch(/^tcp:8080:80:ingress tcp:3\d{4}:81:ingress udp:53:53:ingress $/);
    const given = /tcp:(3\d{4})/.exec(ports)?.[1] ?? '';
    const row = await swarm.docker(
      'service',
      'ls',
      '-f',
      'name=open',
      '--format',
      '{{.Replicas}} {{.Ports}}',
    );
    for (const word of ['1/1', '*:8080->80/tcp', `*:${given}->81/tcp`, '*:53->53/udp'])
      expect(row).toContain(word);
    for (const port of ['8080', given])
      expect(await swarm.refused(...create, '-p', `${port}:80`, 'nginx')).toMatch(
        new RegExp(`port '${port}' is already in use by service 'open' \\(\\w{25}\\) as an ingress port`),
      );
    expect(await swarm.refused(...create, '-p', '82:82', '--endpoint-mode', 'dnsrr', 'nginx')).toContain(
      "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
    );
    const removal = await swarm.swarmd.tryDocker(['network', 'rm', 'ingress'], { input: 'y\n' });
    expect(removal.stderr).toContain('ingress network cannot be removed');

    // A port that is given up is another's at once; the one that was given stays.
    await swarm.update('open', '-d', '--publish-rm', '80');
    expect(await swarm.inspect('open', '{{range .Endpoint.Ports}}{{.PublishedPort}} {{end}}')).toContain(
      given,
    );
    await swarm.docker(...create, '--name', 'taker', '-p', '8080:80', 'nginx');
    await swarm.remove('open', 'taker');
  });

  test.concurrent('ports of hosts answer on every host that has a task', async () => {
    const swarm = get();
    const host = 'published=9090,target=80,mode=host';
    await swarm.create('near', ['--mode', 'global', ...AT_ONCE, '-p', host], 'nginx');
    const tasks = await swarm.running('near', 3);
    const read = tasks.map(async ({ Node }) => {
      const url = `http://${swarm.host(Node).ip}:9090/`;
      return (await until(`${url} answers`, 10_000, async () => (await fetch(url)).text())).trim();
    });
    const { pages } = await placesOf(swarm, 'near', '');
    expect((await Promise.all(read)).sort()).toEqual(pages);
    for (const { Ports } of tasks) expect(Ports).toContain('*:9090->80/tcp');
    await swarm.create('full', ['-d', '-p', host], 'nginx');
    const [waiting] = await swarm.tasksWhen('full', ([one]) => one !== undefined && one.Error !== '');
    expect(waiting?.Error).toContain('host-mode port already in use');
    await swarm.remove('near');
    await swarm.running('full', 1);
    await swarm.remove('full');
  });
}
