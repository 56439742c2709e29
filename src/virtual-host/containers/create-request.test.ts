import { describe, expect, it } from 'vitest';
import { coresToShares, sharesToNano } from '../pool/container.ts';
import { bodyForEngine, readCreateRequest } from './create-request.ts';

describe('reading what is to be created', () => {
  it('takes expressions out of the environment and keeps them as labels', () => {
    const { body, placement } = readCreateRequest('web', {
      Image: 'nginx',
      Env: ['A=1', 'constraint:node==core-01', 'affinity:container!=~db'],
    });
    expect(body['Env']).toEqual(['A=1']);
    expect(body['Labels']).toMatchObject({
      'com.docker.swarm.constraints': '["node==core-01"]',
      'com.docker.swarm.affinities': '["container!=~db"]',
    });
    expect(placement.constraints).toHaveLength(1);
    expect(placement.affinities[0]).toMatchObject({ key: 'container', operator: '!=', soft: true });
  });

  it('gives every container an id of the swarm, and keeps one it has', () => {
    const labelOf = (labels: Record<string, string>): string =>
      (readCreateRequest('', { Image: 'x', Labels: labels }).body['Labels'] as Record<string, string>)[
        'com.docker.swarm.id'
      ] ?? '';
    expect(labelOf({})).toMatch(/^[0-9a-f]{64}$/);
    expect(labelOf({ 'com.docker.swarm.id': 'kept' })).toBe('kept');
  });

  it('reserves the larger of CpuShares in cores and NanoCpus, and the memory', () => {
    const read = (host: object): [number, number] => {
      const { placement } = readCreateRequest('', { Image: 'x', HostConfig: host });
      return [placement.nanoCpus, placement.memoryBytes];
    };
    expect(read({ CpuShares: 2, Memory: 512 })).toEqual([2e9, 512]);
    expect(read({ NanoCpus: 5e8 })).toEqual([5e8, 0]);
    expect(read({ CpuShares: 1, NanoCpus: 15e8 })).toEqual([15e8, 0]);
    expect(read({})).toEqual([0, 0]);
  });

  it('finds the host ports, not those the engine may choose', () => {
    const { placement } = readCreateRequest('', {
      Image: 'x',
      HostConfig: {
        PortBindings: {
          '80/tcp': [{ HostPort: '8080' }, { HostIp: '10.0.0.1', HostPort: '80' }],
          '53/udp': [{ HostPort: '53' }],
          '1/tcp': [{ HostPort: '' }],
          '2/tcp': [{ HostPort: '8000-8010' }],
          '3/tcp': null,
        },
      },
    });
    expect(placement.ports).toEqual([
      { hostIp: '', port: 8080, protocol: 'tcp' },
      { hostIp: '10.0.0.1', port: 80, protocol: 'tcp' },
      { hostIp: '', port: 53, protocol: 'udp' },
    ]);
  });

  it('counts exposed ports on the network of the host', () => {
    const { placement } = readCreateRequest('', {
      Image: 'x',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      HostConfig: { NetworkMode: 'host' },
    });
    expect(placement.ports.map(({ port, protocol }) => `${port}/${protocol}`)).toEqual(['80/tcp', '53/udp']);
  });

  it('finds every container that this one must be with', () => {
    const { placement } = readCreateRequest('', {
      Image: 'x',
      HostConfig: {
        VolumesFrom: ['data:ro'],
        Links: ['/core-01/db:database'],
        NetworkMode: 'container:web',
        IpcMode: 'container:shm',
        PidMode: 'host',
      },
    });
    expect(placement.dependencies).toEqual([
      { kind: 'volumes-from', container: 'data' },
      { kind: 'link', container: 'core-01/db' },
      { kind: 'net', container: 'web' },
      { kind: 'ipc', container: 'shm' },
    ]);
  });

  it.each(['a', '-web', 'we b', 'a/b', 'ü1'])('refuses the name %s', (name) => {
    expect(() => readCreateRequest(name, { Image: 'x' })).toThrow(`Invalid container name (${name})`);
  });

  it('refuses expressions that are none', () => {
    expect(() => readCreateRequest('', { Image: 'x', Env: ['constraint:node=core-01'] })).toThrow(
      'One of operator ==, != is expected',
    );
  });
});

describe('the body for the engine', () => {
  it('drops the node from references and gives shares for cores', () => {
    const request = readCreateRequest('web', {
      Image: 'x',
      HostConfig: {
        CpuShares: 1,
        VolumesFrom: ['core-01/data:ro'],
        Links: ['core-01/db:database'],
        NetworkMode: 'container:core-01/net',
      },
    });
    expect(bodyForEngine(request, { name: 'core-01', cores: 4 })['HostConfig']).toEqual({
      CpuShares: 256,
      VolumesFrom: ['data:ro'],
      Links: ['db:database'],
      NetworkMode: 'container:net',
    });
  });

  it('reads the same cores out of the shares again', () => {
    for (const cores of [1, 2, 3, 4, 7, 16, 64]) {
      for (let reserved = 1; reserved <= cores; reserved += 1) {
        expect(sharesToNano(coresToShares(reserved, cores), cores)).toBe(reserved * 1e9);
      }
    }
  });
});
