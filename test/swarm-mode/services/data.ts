import { expect, test } from 'vitest';
import type { ServiceSwarm } from './service-swarm.ts';

/** Secrets and configs, and the tasks that have them. */
export function dataTests(get: () => ServiceSwarm): void {
  test.concurrent('tasks have their secrets and configs, templates filled in', async () => {
    const swarm = get();
    await make(swarm, 'secret', ['honey'], 'sweet');
    await make(swarm, 'config', ['plain'], 'as it is');
    await make(
      swarm,
      'config',
      ['--template-driver', 'golang', 'filled'],
      'slot {{.Task.Slot}}: {{secret "honey"}}',
    );
    await swarm.create(
      'keeper',
      [
        ...['--replicas', '3', '--replicas-max-per-node', '1', '--update-monitor', '10ms'],
        ...['--secret', 'source=honey,target=honey,uid=65534,mode=0400'],
        ...['--config', 'plain', '--config', 'source=filled,target=/etc/filled'],
      ],
      ...['busybox', 'sleep', '1000'],
    );
    for (const task of await swarm.running('keeper', 3)) {
      const slot = task.Name.replace('keeper.', '');
      const seen = await swarm.exec(
        task,
        'sh',
        '-c',
        'cat /run/secrets/honey; echo; cat /plain; echo; cat /etc/filled; echo; stat -c "%a %u" /run/secrets/honey',
      );
      expect(seen).toBe(`sweet\nas it is\nslot ${slot}: sweet\n400 65534`);
    }
    for (const [kind, name] of [
      ['secret', 'honey'],
      ['config', 'plain'],
    ] as const)
      expect(await swarm.refused(kind, 'rm', name)).toContain(
        `${kind} '${name}' is in use by the following service: keeper`,
      );
    expect(await swarm.docker('secret', 'inspect', 'honey')).not.toContain('Data');
    expect(await swarm.docker('config', 'inspect', '--pretty', 'plain')).toContain('as it is');

    // Another secret in the place of the former.
    await make(swarm, 'secret', ['honey-2'], 'sweeter');
    await swarm.update(
      'keeper',
      ...['--secret-rm', 'honey', '--secret-add', 'source=honey-2,target=honey', '--update-parallelism', '0'],
      ...['--config-rm', 'filled'],
    );
    for (const task of await swarm.running('keeper', 3))
      expect(await swarm.exec(task, 'cat', '/run/secrets/honey')).toBe('sweeter');
    await swarm.docker('secret', 'rm', 'honey');
    await swarm.remove('keeper');
    await swarm.docker('secret', 'rm', 'honey-2');
    await swarm.docker('config', 'rm', 'plain', 'filled');
  });

  test.concurrent('labels of secrets and configs can be listed by', async () => {
    const swarm = get();
    for (const kind of ['secret', 'config'] as const) {
      await make(swarm, kind, ['--label', 'team=bees', `${kind}-labelled`], 'x');
      expect(await swarm.docker(kind, 'ls', '-f', 'label=team=bees', '--format', '{{.Name}}')).toBe(
        `${kind}-labelled`,
      );
      const again = await swarm.swarmd.tryDocker([kind, 'create', `${kind}-labelled`, '-'], { input: 'y' });
      expect(again.stderr).toContain(`${kind} ${kind}-labelled already exists`);
      await swarm.docker(kind, 'rm', `${kind}-labelled`);
      expect(await swarm.refused(kind, 'inspect', `${kind}-labelled`)).toContain(
        `such ${kind}: ${kind}-labelled`,
      );
    }
  });
}

/** `docker secret create …` of that text; the name comes last. */
async function make(
  swarm: ServiceSwarm,
  kind: 'secret' | 'config',
  options: readonly string[],
  text: string,
): Promise<void> {
  const made = await swarm.swarmd.tryDocker([kind, 'create', ...options, '-'], { input: text });
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\w{25}\n$/) as string });
}
