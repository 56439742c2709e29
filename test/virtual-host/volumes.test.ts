import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, type Hosts } from '../hosts/index.ts';
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
    const volumes = await host.docker('volume', 'ls', '-q');
    if (volumes !== '') await host.docker('volume', 'rm', ...volumes.split('\n'));
  }
});

const SLEEP = ['busybox', 'sleep', '1000'];

async function api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(swarm.url + path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function names(...filters: string[]): Promise<string[]> {
  const list = await swarm.docker('volume', 'ls', '-q', ...filters.flatMap((one) => ['--filter', one]));
  return list.split('\n').filter((name) => name !== '');
}

describe('volumes of the cluster', () => {
  it('are made on every node, and removed from all', async () => {
    const made = await api('POST', '/volumes/create', { Name: 'data', Labels: { team: 'a' } });
    expect(made).toMatchObject({
      status: 201,
      body: { Name: 'data', Driver: 'local', Labels: { team: 'a' } },
    });
    expect(await names()).toEqual(['core-01/data', 'core-02/data']);
    for (const host of hosts) expect(await host.docker('volume', 'ls', '-q')).toBe('data');
    expect(await api('GET', '/volumes/data')).toMatchObject({ status: 200, body: { Name: 'data' } });
    expect(await api('GET', '/volumes/core-02/data')).toMatchObject({ status: 200, body: { Name: 'data' } });
    expect(await swarm.docker('volume', 'rm', 'data')).toBe('data');
    expect(await names()).toEqual([]);
    expect(await api('GET', '/volumes/data')).toEqual({
      status: 404,
      body: { message: 'get data: no such volume' },
    });
    expect((await api('DELETE', '/volumes/data')).status).toBe(404);
    expect((await api('DELETE', '/volumes/data?force=1')).status).toBe(204);
    expect((await api('PUT', '/volumes/data', {})).status).toBe(501);
  });

  it('get the same name everywhere when none is given', async () => {
    const name = await swarm.docker('volume', 'create');
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    expect(await names()).toEqual([`core-01/${name}`, `core-02/${name}`]);
  });

  it('are made on the node named, or on those that a whitelist allows', async () => {
    const made = await api('POST', '/volumes/create', { Name: 'core-02/only' });
    expect(made).toMatchObject({ status: 201, body: { Name: 'core-02/only' } });
    const labels = { 'com.docker.swarm.whitelists': '["node==core-01|core-09"]' };
    await api('POST', '/volumes/create', { Name: 'listed', Labels: labels });
    expect(await names()).toEqual(['core-01/listed', 'core-02/only']);
    expect(await names('name=only')).toEqual(['only']);
    expect(await names('label=com.docker.swarm.whitelists')).toEqual(['listed']);
    expect(await names('node=core-02')).toEqual(['core-02/only']);
    const nowhere = { Name: 'no', Labels: { 'com.docker.swarm.whitelists': '["node==core-09"]' } };
    expect((await api('POST', '/volumes/create', nowhere)).body).toMatchObject({
      message: expect.stringContaining('node==core-09 does not hold') as string,
    });
    expect((await api('GET', '/volumes/core-01/only')).status).toBe(404);
  });

  it('tie a container to their node when they are named with it', async () => {
    await swarm.docker('volume', 'create', 'core-02/data');
    await swarm.docker('run', '-d', '--name', 'bound', '-v', 'core-02/data:/data', ...SLEEP);
    const mount = 'type=volume,source=core-02/data,target=/data';
    await swarm.docker('run', '-d', '--name', 'mounted', '--mount', mount, ...SLEEP);
    expect(await hosts.at(1).docker('ps', '--format', '{{.Names}} {{.Mounts}}')).toBe(
      'mounted data\nbound data',
    );
    const args = ['run', '-d', '-v', 'core-02/data:/data', '-e', 'constraint:node==core-01', ...SLEEP];
    expect((await swarm.tryDocker(args)).stderr).toContain('volume core-02/data is elsewhere: core-01');
    expect(await names('dangling=true')).toEqual([]);
  });

  it('that one node uses are kept on all', async () => {
    await swarm.docker('volume', 'create', 'data');
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'user',
      '-v',
      'data:/data',
      '-e',
      'constraint:node==core-02',
      ...SLEEP,
    );
    const refused = await api('DELETE', '/volumes/data');
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({
      message: expect.stringMatching(/^core-02: remove data: volume is in use/) as string,
    });
    expect(await names()).toEqual(['core-01/data', 'core-02/data']);
    expect(await names('dangling=true')).toEqual(['core-01/data']);
    expect(await swarm.docker('volume', 'rm', 'core-01/data')).toBe('core-01/data');
    expect(await names('name=data')).toEqual(['data']);
  });

  it('made at an engine are found at once', async () => {
    await hosts.at(1).docker('volume', 'create', 'late');
    expect((await api('GET', '/volumes/late')).status).toBe(200);
    expect(await names()).toEqual(['core-02/late']);
  });

  it('that could not be made everywhere are told of', async () => {
    expect((await api('POST', '/volumes/create', { Name: 'bad name' })).status).toBe(400);
    await hosts.at(1).kill();
    const half = await api('POST', '/volumes/create', { Name: 'half' });
    await hosts.at(1).start();
    expect(half.status).toBe(500);
    expect(half.body).toMatchObject({
      message: expect.stringContaining('volume half was created on core-01, but not on core-02: ') as string,
    });
  });
});
