import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 3 });
  swarm = await startSwarm(hosts);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

afterEach(async () => {
  await Promise.all(
    [...hosts].map(async (host) => {
      const ids = (await host.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
      if (ids.length > 0) await host.docker('rm', '-f', '-v', ...ids);
    }),
  );
});

const engineUrl = (host: Host): string => `http://${host.address}`;

describe('ps', () => {
  const ids = async (
    base: string,
    query: string,
    filters: Partial<Record<string, string[]>>,
  ): Promise<unknown> => {
    const path = `/containers/json?${query}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const answer = await call(base, 'GET', path);
    if (answer.status !== 200) return answer.status;
    return answer.json<{ Id: string }[]>().map((one) => one.Id);
  };

  it('filters, orders and limits as an engine does', async () => {
    const host = hosts.at(0);
    await host.docker('network', 'create', 'side');
    await host.docker('run', '-d', '--name', 'one', '--label', 'tier=front', '-p', '8080:80', 'nginx');
    await host.docker('run', '-d', '--name', 'two', '--label', 'tier=back', '-v', 'data:/data', 'redis');
    const health = ['--health-cmd', 'true', '--health-interval', '1s'];
    await host.docker(
      'run',
      '-d',
      '--name',
      'three',
      '--network',
      'side',
      ...health,
      'busybox',
      'sleep',
      '1000',
    );
    await host.docker('run', '--name', 'four', '--label', 'tier', 'busybox', 'true');
    await host.tryDocker('run', '--name', 'five', 'busybox', 'sh', '-c', 'exit 3');
    await host.docker('create', '--name', 'six', '--expose', '9000', 'busybox');
    await host.docker('run', '-d', '--name', 'seven', 'busybox', 'sleep', '1000');
    await host.docker('pause', 'seven');
    // Several within one second: their order is finer than the list tells.
    for (const name of ['eight', 'nine', 'ten', 'eleven'])
      await call(engineUrl(host), 'POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } });
    const nineId = await host.docker('inspect', '-f', '{{.Id}}', 'nine');
    await until('three healthy', 20_000, async () =>
      (await host.docker('inspect', '-f', '{{.State.Health.Status}}', 'three')) === 'healthy'
        ? true
        : undefined,
    );
    const imageId = await host.docker('inspect', '-f', '{{.Image}}', 'one');
    const cases: Partial<Record<string, string[]>>[] = [
      {},
      ...['created', 'running', 'paused', 'exited', 'dead', 'nonsense'].map((word) => ({ status: [word] })),
      { status: ['paused', 'exited'] },
      ...['0', '3', '1', 'x'].map((code) => ({ exited: [code] })),
      ...['tier', 'tier=front', 'tier=', 'none'].map((label) => ({ label: [label] })),
      { label: ['tier', 'tier=back'] },
      ...['one', '^/one$', '^one$', 'o', 'e$', '^(six|two)$', '(', 'T', '/t', '.*', '[a-f]'].map((name) => ({
        name: [name],
      })),
      { name: ['one', 'two'] },
      { id: [nineId] },
      { id: [nineId.slice(0, 5)] },
      { id: [nineId.slice(5, 12)] },
      ...['four', 'nine', nineId, 'nobody'].flatMap((it) => [{ since: [it] }, { before: [it] }]),
      { since: ['two'], before: ['ten'] },
      ...['none', 'starting', 'healthy', 'unhealthy', 'well'].map((word) => ({ health: [word] })),
      ...['busybox', 'nginx', 'redis:latest', imageId, imageId.slice(7, 19), 'nothing'].map((ancestor) => ({
        ancestor: [ancestor],
      })),
      ...['80', '8080', '8080/tcp', '8000-9000', 'web', '8080/udp'].map((publish) => ({
        publish: [publish],
      })),
      ...['80', '9000', '6000-7000/tcp'].map((expose) => ({ expose: [expose] })),
      ...['data', '/data', 'nothing'].map((volume) => ({ volume: [volume] })),
      ...['side', 'bridge', 'nothing'].map((network) => ({ network: [network] })),
      ...['true', 'false', 'maybe'].map((word) => ({ 'is-task': [word] })),
      { nonsense: ['x'] },
    ];
    // A wrong value is refused by either; old engines do it with 500 where it is the client's mistake.
    const plain = (found: unknown): unknown =>
      typeof found === 'number' && found >= 400 ? 'refused' : found;
    await until('the same containers', 10_000, async () =>
      JSON.stringify(await ids(swarm.url, 'all=1', {})) ===
      JSON.stringify(await ids(engineUrl(host), 'all=1', {}))
        ? true
        : undefined,
    );
    for (const filters of cases) {
      for (const query of ['', 'all=1', 'limit=3', 'limit=1', 'all=1&limit=2', 'limit=-1', 'limit=99']) {
        const expected = plain(await ids(engineUrl(host), query, filters));
        const got = plain(await ids(swarm.url, query, { ...filters, node: ['core-01'] }));
        expect({ filters, query, got }).toEqual({ filters, query, got: expected });
      }
    }
    expect(await ids(swarm.url, 'all=1', { network: ['core-01/side'] })).toHaveLength(1);
    expect(await ids(swarm.url, 'all=1', { volume: ['core-01/data'] })).toHaveLength(1);
    expect(await ids(swarm.url, 'all=1', { node: ['core-02'] })).toEqual([]);
    const format = ['--format', '{{.ID}} {{.Size}} {{.Mounts}} {{.RunningFor}}'];
    const sizes = (text: string): string[] =>
      text.split('\n').map((line) => line.split(' ').slice(0, 4).join(' '));
    expect(sizes(await swarm.docker('ps', '-as', ...format))).toEqual(
      sizes(await host.docker('ps', '-as', ...format)),
    );
    for (const args of [['-l'], ['-n', '2'], ['-n', '0'], ['-n', '-1'], ['--last', '4']])
      expect(await swarm.docker('ps', '-q', ...args)).toBe(await host.docker('ps', '-q', ...args));
    await host.docker('rm', '-f', 'three');
    await host.docker('network', 'rm', 'side');
  });

  it('shows an engine’s own words for every state', async () => {
    const host = hosts.at(2);
    await host.docker('run', '-d', '--name', 'up', 'busybox', 'sleep', '1000');
    await host.tryDocker('run', '--name', 'down', 'busybox', 'sh', '-c', 'exit 9');
    await host.docker('create', '--name', 'made', 'busybox');
    await host.docker('run', '-d', '--name', 'again', '--restart', 'always', 'busybox', 'false');
    const statuses = (text: string): string[] =>
      text.split('\n').map((line) => line.replace(/Less than a second|\d+ seconds?|About an? \w+/, 'N'));
    const format = ['--format', '{{.ID}} {{.Status}} {{.State}} {{.Command}} {{.Image}} {{.Ports}}'];
    await until('the same words', 20_000, async () => {
      const [ours, theirs] = await Promise.all([
        swarm.docker('ps', '-a', ...format),
        host.docker('ps', '-a', '--format', format[1] ?? ''),
      ]);
      return JSON.stringify(statuses(ours)) === JSON.stringify(statuses(theirs)) ? true : undefined;
    });
  });

  it('hides the containers of swarm itself unless all are asked for', async () => {
    const host = hosts.at(0);
    await host.docker('tag', 'busybox', 'swarm');
    await host.docker('run', '-d', '--name', 'agent', 'swarm', 'sleep', '1000');
    await host.docker('run', '-d', '--name', 'mine', 'busybox', 'sleep', '1000');
    await until('both', 10_000, async () => {
      const names = (await swarm.docker('ps', '-a', '--format', '{{.Names}}')).split('\n').sort();
      return names.join() === 'core-01/agent,core-01/mine' ? true : undefined;
    });
    expect(await swarm.docker('ps', '--format', '{{.Names}}')).toBe('core-01/mine');
    expect(await swarm.docker('exec', 'agent', 'echo', 'there')).toBe('there');
  });
});
