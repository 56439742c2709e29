import { expect, test } from 'vitest';
import type { ServiceSwarm } from './service-swarm.ts';

/** What `docker service` says of wrong input, and how lists are filtered. */
export function refusalTests(get: () => ServiceSwarm): void {
  test.concurrent('wrong options are refused in Docker’s words', async () => {
    const swarm = get();
    await swarm.create('taken', ['-d', '--replicas', '0', '-p', '9090:90'], 'busybox');
    const create = ['service', 'create', '-d', '--no-resolve-image'];
    for (const [args, words] of [
      [['--name', 'a b', 'busybox'], /name must be valid as a DNS name component/],
      [
        ['--name', 'taken', 'busybox'],
        /name conflicts with an existing object: service taken already exists/,
      ],
      [['--name', 'x'.repeat(64), 'busybox'], /name must be 63 characters or fewer/],
      [['--constraint', 'node.role=worker', 'busybox'], /constraint expected one operator from ==, !=/],
      [['-p', '9090:91', 'busybox'], /port '9090' is already in use by service 'taken'/],
      [['--secret', 'nosuch', 'busybox'], /secret not found: nosuch/],
      [['--network', 'nosuch', 'busybox'], /No such network: nosuch/],
      [['--reserve-memory', '1m', 'busybox'], /invalid memory value 1048576: Must be at least 4MiB/],
      [
        ['--mount', 'type=bind,src=relative,dst=/x', 'busybox'],
        /invalid mount source|must be an absolute path/,
      ],
      [['--mode', 'nosuch', 'busybox'], /Unknown mode: nosuch/],
      [['Upper'], /"Upper" is not a valid repository\/tag|repository name must be lowercase/],
    ] as const)
      expect(await swarm.refused(...create, ...args)).toMatch(words);
    expect(await swarm.refused('service', 'inspect', 'nosuch')).toContain('no such service: nosuch');
    expect(await swarm.refused('service', 'ps', 'nosuch')).toContain('no such service: nosuch');
    expect(await swarm.refused('service', 'rm', 'nosuch')).toContain('No such service: nosuch');
    expect(await swarm.refused('service', 'scale', 'taken=x')).toContain('invalid');
    expect(await swarm.refused('service', 'logs', 'nosuch')).toContain('no such task or service: nosuch');
    expect(await swarm.refused('service', 'ls', '-f', 'nosuch=x')).toContain("invalid filter 'nosuch'");
    expect(await swarm.refused('node', 'update', '--availability', 'gone', 'core-01')).toMatch(
      /invalid Availability: "gone"/,
    );
    expect(await swarm.refused('node', 'inspect', 'nosuch')).toContain('nosuch');
    await swarm.remove('taken');
  });
}
