import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
  swarm = await startSwarm(hosts);
});
afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
});

async function post(path: string): Promise<[number, Record<string, unknown>]> {
  const answer = await fetch(`${swarm.url}${path}`, { method: 'POST' });
  return [answer.status, (await answer.json()) as Record<string, unknown>];
}

describe('disk usage', () => {
  it('is the sum of the engines’, with the names of the cluster', async () => {
    await hosts
      .at(0)
      .docker('run', '-d', '--name', 'writer', 'busybox', 'sh', '-c', 'echo 12345 > /data; sleep 600');
    await hosts.at(1).docker('volume', 'create', 'kept');
    const usage = (await (await fetch(`${swarm.url}/system/df`)).json()) as {
      LayersSize: number;
      Images: { Containers: number }[];
      Containers: { Names: string[]; SizeRw: number }[];
      Volumes: { Name: string }[];
    };
    const own = (await (await fetch(`http://${hosts.at(0).address}/system/df`)).json()) as {
      LayersSize: number;
    };
    expect(usage.LayersSize).toBe(own.LayersSize * 2);
    expect(usage.Images).toHaveLength(6);
    expect(usage.Images.map((image) => image.Containers).sort()).toEqual([0, 0, 0, 0, 0, 1]);
    expect(usage.Containers.map((container) => container.Names)).toEqual([['/core-01/writer']]);
    expect(usage.Volumes.map((volume) => volume.Name)).toEqual(['core-02/kept']);
    expect(await swarm.docker('system', 'df')).toMatch(/^Images +6 +1 /m);
    await hosts.at(0).docker('rm', '-f', 'writer');
    await hosts.at(1).docker('volume', 'rm', 'kept');
  });
});

describe('commit', () => {
  it('makes the image where the container is', async () => {
    await hosts.at(1).docker('run', '--name', 'maker', 'busybox', 'touch', '/made');
    const id = await swarm.docker('commit', '-m', 'made', 'maker', 'made:1');
    expect(await hosts.at(1).docker('inspect', '-f', '{{.Id}}', 'made:1')).toBe(id);
    expect(await swarm.docker('images', '-q', 'made')).not.toBe('');
    expect(await swarm.docker('commit', 'core-02/maker', 'made:2')).toMatch(/^sha256:/);
    expect(await post('/commit?container=nope')).toEqual([404, { message: 'No such container: nope' }]);
    await swarm.docker('rmi', 'made:1', 'made:2');
    await swarm.docker('rm', 'maker');
  });
});

describe('prune', () => {
  it('removes stopped containers on every engine', async () => {
    for (const host of hosts) await host.docker('run', '--name', `done-${host.name}`, 'busybox', 'true');
    await until('the index', 5_000, async () =>
      (await swarm.docker('ps', '-aq')).split('\n').length === 2 ? true : undefined,
    );
    const [status, answer] = await post('/containers/prune');
    expect(status).toBe(200);
    expect(answer['ContainersDeleted']).toHaveLength(2);
    expect(await swarm.docker('ps', '-aq')).toBe('');
    expect(await post('/containers/prune')).toEqual([200, { ContainersDeleted: null, SpaceReclaimed: 0 }]);
  });

  it('removes images without names, and tells each once', async () => {
    await swarm.docker('tag', 'redis', 'spare:1');
    const pruned = await swarm.docker('image', 'prune', '-af', '--filter', 'label!=kept');
    expect(pruned).toContain('untagged: spare:1');
    expect(pruned.match(/untagged: redis:latest/g)).toHaveLength(1);
    expect(pruned).toMatch(/Total reclaimed space: [\d.]+MB/);
    expect(await swarm.docker('images', '-q')).toBe('');
    for (const host of hosts) await host.loadImages();
  });

  it('calls volumes and networks as the lists do', async () => {
    for (const host of hosts) {
      await host.docker('volume', 'create', 'spare');
      await host.docker('network', 'create', 'spare');
    }
    const [, volumes] = await post('/volumes/prune');
    expect(volumes['VolumesDeleted']).toEqual(['core-01/spare', 'core-02/spare']);
    expect((await swarm.docker('network', 'prune', '-f')).trim().split('\n')).toEqual([
      'Deleted Networks:',
      'core-01/spare',
      'core-02/spare',
    ]);
    expect(await post('/networks/prune')).toEqual([200, { NetworksDeleted: null }]);
  });

  it('passes the refusal of all engines on', async () => {
    const filters = encodeURIComponent('{"colour":["red"]}');
    const [status, answer] = await post(`/images/prune?filters=${filters}`);
    expect(status).toBe(400);
    expect(answer['message']).toMatch(/^invalid filter 'colour'$/i);
  });
});
