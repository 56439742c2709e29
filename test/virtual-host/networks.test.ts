import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { run, startHosts, until, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
  swarm = await startSwarm(hosts);
});
afterAll(async () => {
  await swarm.stop();
  await hosts.close();
});
afterEach(async () => {
  for (const host of hosts) {
    const containers = await host.docker('ps', '-aq');
    if (containers !== '') await host.docker('rm', '-f', ...containers.split('\n'));
    await host.docker('network', 'prune', '-f');
  }
});

const SLEEP = ['busybox', 'sleep', '1000'];

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

async function api(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(swarm.url + path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await answer.text();
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
}

async function names(...filters: string[]): Promise<string[]> {
  const list = await swarm.docker(
    'network',
    'ls',
    '--format',
    '{{.Name}}',
    ...filters.flatMap((one) => ['--filter', one]),
  );
  return list.split('\n').filter((name) => name !== '');
}

/** Where the manager lists a network: the node's name. */
async function nodeOf(network: string): Promise<string | undefined> {
  return (await names()).find((name) => name.endsWith(`/${network}`))?.split('/')[0];
}

function other(node: string | undefined): string {
  return node === 'core-01' ? 'core-02' : 'core-01';
}

describe('networks of the cluster', () => {
  it('are listed with their node, inspected plainly, and removed by any name', async () => {
    const id = await swarm.docker('network', 'create', '--label', 'team=a', 'web');
    const node = await nodeOf('web');
    expect(await names()).toEqual(
      ['bridge', 'host', 'none']
        .flatMap((name) => [`core-01/${name}`, `core-02/${name}`])
        .concat(`${node}/web`)
        .sort(),
    );
    expect(await names('name=web')).toEqual(['web']);
    expect(await names('label=team=a')).toEqual(['web']);
    expect(await names(`name=${node}/we`)).toEqual([`${node}/web`]);
    expect(await names('type=custom')).toEqual([`${node}/web`]);
    expect(await names(`node=${other(node)}`, 'type=custom')).toEqual([]);
    for (const reference of ['web', `${node}/web`, id, id.slice(0, 12)]) {
      const inspected = await api('GET', `/networks/${reference}`);
      expect(inspected).toMatchObject({ status: 200, body: { Name: 'web', Id: id, Labels: { team: 'a' } } });
      expect(Object.keys(inspected.body['Labels'] as object)).toEqual(['team']);
    }
    expect(await swarm.docker('network', 'inspect', '-f', '{{.Name}}', 'bridge')).toBe('bridge');
    expect(await swarm.docker('network', 'rm', `${node}/web`)).toBe(`${node}/web`);
    expect(await api('GET', '/networks/web')).toEqual({
      status: 404,
      body: { message: 'network web not found' },
    });
    expect((await api('DELETE', '/networks/bridge')).status).toBe(403);
  });

  it('have one name in the cluster, but for those of a chosen node', async () => {
    const body = { Name: 'web', Driver: 'bridge' };
    const many = await Promise.all(Array.from({ length: 5 }, () => api('POST', '/networks/create', body)));
    expect(many.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
    expect(many.find(({ status }) => status === 409)?.body).toEqual({
      message: 'network with name web already exists',
    });
    const node = await nodeOf('web');
    expect((await api('POST', '/networks/create', { ...body, Name: `${node}/web` })).status).toBe(409);
    expect((await api('POST', '/networks/create', { ...body, Name: `${other(node)}/web` })).status).toBe(201);
    const ambiguous = await api('GET', '/networks/web');
    expect(ambiguous.status).toBe(400);
    expect(ambiguous.body['message']).toMatch(/^network web is ambiguous \(2 matches found based on name\)/);
    // Both nodes have one of that name: a container may go to either.
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'one',
      '--network',
      'web',
      '-e',
      `constraint:node==core-01`,
      ...SLEEP,
    );
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'two',
      '--network',
      'web',
      '-e',
      `constraint:node==core-02`,
      ...SLEEP,
    );
  });

  it('made at an engine are found at once and stay there', async () => {
    await hosts.at(1).docker('network', 'create', 'local');
    expect((await api('GET', '/networks/local')).status).toBe(200);
    const refused = await swarm.tryDocker([
      'run',
      '-d',
      '--network',
      'local',
      '-e',
      'constraint:node==core-01',
      ...SLEEP,
    ]);
    expect(refused.stderr).toContain('network local is on core-02');
    await swarm.docker('run', '-d', '--name', 'there', '--network', 'local', ...SLEEP);
    expect(await hosts.at(1).docker('ps', '--format', '{{.Names}}')).toBe('there');
  });

  it('that need what is not there are refused in words that help', async () => {
    const overlay = await api('POST', '/networks/create', { Name: 'mesh', Driver: 'overlay' });
    expect(overlay.status).toBe(400);
    expect(overlay.body['message']).toContain('--cluster-store');
    const placed = { Name: 'there', Labels: { 'com.docker.swarm.constraints': '["node==core-09"]' } };
    const nowhere = await api('POST', '/networks/create', placed);
    expect(nowhere.body['message']).toContain('node==core-09 does not hold');
    const missing = await swarm.tryDocker(['run', '--rm', '--network', 'nix', 'busybox', 'true']);
    expect(missing.stderr).toContain('network nix not found');
  });

  it('show their containers in lists to clients before 1.28', async () => {
    await swarm.docker('network', 'create', 'web');
    const id = await swarm.docker('run', '-d', '--network', 'web', ...SLEEP);
    const listed = async (version: string): Promise<unknown> => {
      const list = (await (await fetch(`${swarm.url}/v${version}/networks`)).json()) as Record<
        string,
        unknown
      >[];
      return list.find((network) => String(network['Name']).endsWith('/web'))?.['Containers'];
    };
    expect(Object.keys((await listed('1.24')) as object)).toEqual([id]);
    expect(await listed('1.40')).toEqual({});
  });
});

describe('a bridge that nothing uses', () => {
  const settings = [
    '--subnet',
    '10.99.0.0/24',
    '--label',
    'team=a',
    '-o',
    'com.docker.network.bridge.enable_icc=false',
  ];

  it('moves to the node of its first container as it is, and its former id is still known', async () => {
    const id = await swarm.docker('network', 'create', ...settings, 'web');
    const to = other(await nodeOf('web'));
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'first',
      '--network',
      'web',
      '-e',
      `constraint:node==${to}`,
      ...SLEEP,
    );
    expect(await nodeOf('web')).toBe(to);
    const { body } = await api('GET', `/networks/${id}`);
    expect(body).toMatchObject({
      Name: 'web',
      Labels: { team: 'a' },
      Options: { 'com.docker.network.bridge.enable_icc': 'false' },
      IPAM: { Config: [{ Subnet: '10.99.0.0/24' }] },
    });
    expect(body['Id']).not.toBe(id);
    expect(Object.keys(body['Labels'] as object)).toEqual(['team']);
    expect(await api('POST', '/networks/create', { Name: 'web' })).toMatchObject({ status: 409 });

    await using again = await startSwarm(hosts);
    await again.docker('run', '-d', '--name', 'second', '--network', id.slice(0, 12), ...SLEEP);
    expect(await again.docker('ps', '--format', '{{.Names}}', '--filter', 'network=web')).toBe(
      `${to}/second\n${to}/first`,
    );
    await again.docker('network', 'disconnect', id, 'second');
    await again.docker('network', 'connect', id, `${to}/second`);
    await again.docker('rm', '-f', 'first', 'second');
    expect(await again.docker('network', 'rm', id)).toBe(id);
    expect(await names('type=custom')).toEqual([]);
  });

  it('stays where its first container is: who can not go there learns why', async () => {
    await swarm.docker('network', 'create', 'web');
    await swarm.docker('create', '--network', 'web', '-e', 'constraint:node==core-02', ...SLEEP);
    await swarm.docker('create', '--network', 'web', ...SLEEP);
    const refused = await swarm.tryDocker([
      'create',
      '--network',
      'web',
      '-e',
      'constraint:node==core-01',
      ...SLEEP,
    ]);
    expect(refused.stderr).toContain('network: network web is on core-02: core-01');
    expect(await nodeOf('web')).toBe('core-02');
  });

  it('does not move when its node was named', async () => {
    await swarm.docker('network', 'create', 'core-01/pinned');
    const refused = await swarm.tryDocker([
      'create',
      '--network',
      'pinned',
      '-e',
      'constraint:node==core-02',
      ...SLEEP,
    ]);
    expect(refused.stderr).toContain('network pinned is on core-01');
    await swarm.docker('create', '--name', 'here', '--network', 'core-01/pinned', ...SLEEP);
    expect(await hosts.at(0).docker('inspect', '-f', '{{.HostConfig.NetworkMode}}', 'here')).toBe('pinned');
  });

  it('goes to one node however many containers come at once, to the one that has no choice', async () => {
    for (const node of ['core-01', 'core-02']) {
      await swarm.docker('network', 'create', 'web');
      const create = (env: string[]): Promise<Answer> =>
        api('POST', '/containers/create', { Image: 'busybox', Env: env, HostConfig: { NetworkMode: 'web' } });
      const made = await Promise.all(
        Array.from({ length: 12 }, (_, at) => create(at === 7 ? [`constraint:node==${node}`] : [])),
      );
      expect(made.map(({ status }) => status)).toEqual(made.map(() => 201));
      expect(await nodeOf('web')).toBe(node);
      await Promise.all(made.map(({ body }) => api('DELETE', `/containers/${String(body['Id'])}`)));
      await swarm.docker('network', 'rm', 'web');
    }
  });

  it('moves to a container that is connected to it', async () => {
    await swarm.docker('run', '-d', '--name', 'app', '-e', 'constraint:node==core-02', ...SLEEP);
    await swarm.docker('run', '-d', '--name', 'far', '-e', 'constraint:node==core-01', ...SLEEP);
    await swarm.docker('network', 'create', 'core-01/left');
    await swarm.docker('network', 'create', 'one');
    await swarm.docker('network', 'create', 'two');
    await Promise.all(['one', 'two'].map((network) => swarm.docker('network', 'connect', network, 'app')));
    expect([await nodeOf('one'), await nodeOf('two')]).toEqual(['core-02', 'core-02']);
    for (const network of ['one', 'core-01/left']) {
      const container = network === 'one' ? 'far' : 'app';
      const refused = await swarm.tryDocker(['network', 'connect', network, container]);
      expect(refused.stderr).toMatch(
        /network (one|left) is on node core-0\d and can't be used on node core-0\d/,
      );
    }
    const clash = await api('POST', '/containers/create', {
      Image: 'busybox',
      HostConfig: { NetworkMode: 'one' },
      NetworkingConfig: { EndpointsConfig: { one: {}, left: {} } },
    });
    expect(clash).toEqual({
      status: 409,
      body: {
        message: "a container can't be on networks of different nodes: one is on core-02, left is on core-01",
      },
    });
  });

  it('is not taken away from a container that another manager has just made', async () => {
    await using second = await startSwarm(hosts);
    await swarm.docker('network', 'create', 'web');
    const from = await nodeOf('web');
    await Promise.all([
      swarm.tryDocker([
        'create',
        '--name',
        'mine',
        '--network',
        'web',
        '-e',
        `constraint:node==${from}`,
        ...SLEEP,
      ]),
      second.tryDocker(['create', '--name', 'yours', '--network', 'web', ...SLEEP]),
    ]);
    const modes = await until('both to be seen', 10_000, async () => {
      const list = await swarm.docker('ps', '-a', '--format', '{{.Names}}', '--filter', 'network=web');
      return list.split('\n').length === 2 ? list : undefined;
    });
    expect(new Set(modes.split('\n').map((name) => name.split('/')[0]))).toEqual(new Set([from]));
  });
});

describe('docker-compose', () => {
  const tiers = `version: "2"
services:
  web: { image: nginx, networks: [front] }
  app: { image: busybox, command: sleep 1000, networks: [front, back] }
  cache: { image: redis, networks: [back] }
networks: { front: {}, back: {} }
`;

  it('keeps the networks of a project together', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'compose-'));
    const env = { DOCKER_HOST: swarm.host };
    try {
      await writeFile(join(folder, 'docker-compose.yml'), tiers);
      await run('docker-compose', ['-p', 'tiers', 'up', '-d'], { cwd: folder, env });
      expect(await nodeOf('tiers_front')).toBe(await nodeOf('tiers_back'));
      await run('docker-compose', ['-p', 'tiers', 'exec', '-T', 'app', 'ping', '-c', '1', 'cache'], {
        cwd: folder,
        env,
      });
      await run('docker-compose', ['-p', 'tiers', 'down', '-t', '0'], { cwd: folder, env });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
