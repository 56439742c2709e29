import { expect, test } from 'vitest';
import { eventually, type ServiceSwarm } from './service-swarm.ts';

/** What of a service's spec is seen in its containers, and on their engines. */
export function containerTests(get: () => ServiceSwarm): void {
  test.concurrent('every engine makes the container that was described', async () => {
    const swarm = get();
    await swarm.create(
      'full',
      [
        ...['--replicas', '3', '--replicas-max-per-node', '1', '--update-monitor', '10ms'],
        ...[
          '--hostname',
          '{{.Node.Hostname}}-{{.Task.Slot}}',
          '--env',
          'WHO={{.Service.Name}}',
          '--env',
          'A=b',
        ],
        ...['--label', 'of=service', '--container-label', 'of=container'],
        ...['--user', '65534:65534', '--workdir', '/tmp', '--group', 'nogroup'],
        ...['--init', '--read-only', '--stop-signal', 'SIGQUIT'],
        ...['--mount', 'type=tmpfs,dst=/scratch,tmpfs-size=1m,tmpfs-mode=1777'],
        ...['--mount', 'type=volume,src=kept-{{.Task.Slot}},dst=/kept,volume-label=a=b'],
        ...['--mount', 'type=bind,src=/etc,dst=/hostetc,readonly'],
        ...[
          '--host',
          'hive.local:1.2.3.4',
          '--dns',
          '9.9.9.9',
          '--dns-search',
          'x.y',
          '--dns-option',
          'ndots:2',
        ],
        ...['--cap-drop', 'ALL', '--cap-add', 'NET_RAW', '--ulimit', 'nofile=100:200'],
        ...['--sysctl', 'net.ipv4.ip_unprivileged_port_start=0'],
        ...['--limit-memory', '64m', '--reserve-memory', '8m', '--limit-cpu', '0.5', '--limit-pids', '50'],
        ...[
          '--log-driver',
          'json-file',
          '--log-opt',
          'max-size=1m',
          '--health-cmd',
          'true',
          '--health-interval',
          '200ms',
        ],
      ],
      ...['busybox', 'sleep', '1000'],
    );
    for (const task of await swarm.running('full', 3)) {
      const { Config, HostConfig } = await swarm.container(task);
      const slot = task.Name.replace('full.', '');
      const nodeId = await swarm.docker('node', 'inspect', task.Node, '--format', '{{.ID}}');
      const serviceId = await swarm.inspect('full', '{{.ID}}');
      expect(Config).toMatchObject({
        Hostname: `${task.Node}-${slot}`,
        Env: expect.arrayContaining(['WHO=full', 'A=b']) as string[],
        User: '65534:65534',
        WorkingDir: '/tmp',
        StopSignal: 'SIGQUIT',
        Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 200_000_000 },
      });
      expect(Config.Labels).toEqual({
        'com.docker.swarm.node.id': nodeId,
        'com.docker.swarm.service.id': serviceId,
        'com.docker.swarm.service.name': 'full',
        'com.docker.swarm.task': '',
        'com.docker.swarm.task.id': task.ID,
        'com.docker.swarm.task.name': `${task.Name}.${task.ID}`,
        of: 'container',
      });
      expect(HostConfig).toMatchObject({
        ...{ Init: true, ReadonlyRootfs: true, GroupAdd: ['nogroup'], PidsLimit: 50, NanoCpus: 500_000_000 },
        ...{ Memory: 64 << 20, CapDrop: ['ALL'], CapAdd: ['CAP_NET_RAW'] },
        ...{ Dns: ['9.9.9.9'], DnsSearch: ['x.y'], DnsOptions: ['ndots:2'] },
        ...{ ExtraHosts: ['hive.local:1.2.3.4'], Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }] },
        Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
      });
      const seen = await swarm.exec(
        task,
        'sh',
        '-c',
        'touch /scratch/x && cat /hostetc/hostname && id -u; ! touch /no',
      );
      expect(seen).toBe(`${task.Node}\n65534`);
      const volume = ['volume', 'inspect', `kept-${slot}`, '--format', '{{.Labels}}'];
      expect(await swarm.host(task.Node).docker(...volume)).toBe('map[a:b]');
      expect(await swarm.host(task.Node).docker('ps', '--format', '{{.Names}}')).toContain(
        `${task.Name}.${task.ID}`,
      );
    }
    expect(await swarm.docker('service', 'ls', '-f', 'label=of=service', '--format', '{{.Name}}')).toBe(
      'full',
    );
    await swarm.remove('full');
  });

  test.concurrent('a container is stopped with its signal, and has its time', async () => {
    const swarm = get();
    const slow =
      'trap "echo asked > /said/it; sleep 1; echo done >> /said/it; exit 0" USR1; sleep 1000 & wait';
    const place = ['--constraint', 'node.hostname==core-02', '--mount', 'type=volume,src=said,dst=/said'];
    const stop = ['--stop-signal', 'SIGUSR1', '--stop-grace-period', '20s', '--update-monitor', '10ms'];
    await swarm.create('slow', [...place, ...stop], 'busybox', 'sh', '-c', slow);
    await swarm.remove('slow');
    const read = ['run', '--rm', '-v', 'said:/said', 'busybox', 'cat', '/said/it'];
    await eventually('it had its time', async () => {
      return (await swarm.host('core-02').docker(...read)) === 'asked\ndone' || undefined;
    });
  });
}
