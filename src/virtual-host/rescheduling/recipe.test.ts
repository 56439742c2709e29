import { describe, expect, it } from 'vitest';
import type { Json } from '../../base/json.ts';
import { plannedRemains, readRemains, remainsOf } from '../pool/remains.ts';
import { dataLeft, endpointsIn, recipeOf, withOneNetwork } from './recipe.ts';

const ID = 'abcdef012345'.padEnd(64, '6');

function inspection(parts: { config?: Json; host?: Json; networks?: Json; mounts?: unknown[] }): Json {
  return {
    Id: ID,
    Name: '/web',
    Config: {
      Hostname: ID.slice(0, 12),
      Image: 'nginx',
      Entrypoint: null,
      Labels: { a: 'b' },
      ...parts.config,
    },
    HostConfig: { NetworkMode: 'default', CpuShares: 0, ...parts.host },
    NetworkSettings: { Networks: parts.networks ?? { bridge: { NetworkID: 'b' } } },
    Mounts: parts.mounts ?? [],
  };
}

function recipe(inspected: Json, names: Record<string, string> = {}): Json & { HostConfig: Json } {
  return recipeOf({ inspected, swarmId: 'S', cores: 4, nameOf: (id) => names[id] }) as Json & {
    HostConfig: Json;
  };
}

describe('the recipe of a container', () => {
  it('keeps what it is, and drops what was of its old self', () => {
    const body = recipe(inspection({ config: { Env: ['A=1'], Cmd: ['serve'] }, host: { Memory: 64 } }));
    expect(body).toMatchObject({
      Image: 'nginx',
      Env: ['A=1'],
      Cmd: ['serve'],
      Entrypoint: [''],
      Labels: { a: 'b', 'com.docker.swarm.id': 'S' },
      HostConfig: { Memory: 64, NetworkMode: 'default' },
    });
    expect(body).not.toHaveProperty('Hostname');
    expect(endpointsIn(body)).toEqual({});
    const named = inspection({ config: { Hostname: 'db', Domainname: 'here', Entrypoint: ['/run'] } });
    expect(recipe(named)).toMatchObject({ Hostname: 'db', Domainname: 'here', Entrypoint: ['/run'] });
  });

  it('has the cores that the shares were made from', () => {
    expect(recipe(inspection({ host: { CpuShares: 512 } })).HostConfig['CpuShares']).toBe(2);
  });

  it('has of its networks what the user said, and is made on one', () => {
    const networks = {
      front: {
        NetworkID: 'f'.repeat(64),
        IPAddress: '10.0.0.9',
        IPAMConfig: { IPv4Address: '10.0.0.9' },
        Aliases: ['site', ID.slice(0, 12)],
        Links: null,
      },
      back: { NetworkID: 'b', IPAMConfig: null, Aliases: null, DriverOpts: { x: 'y' } },
    };
    const body = recipe(inspection({ host: { NetworkMode: 'f'.repeat(64) }, networks }));
    expect(body.HostConfig['NetworkMode']).toBe('front');
    const front = { IPAMConfig: { IPv4Address: '10.0.0.9' }, Aliases: ['site'] };
    expect(endpointsIn(body)).toEqual({ front, back: { DriverOpts: { x: 'y' } } });
    expect(endpointsIn(withOneNetwork(body))).toEqual({ front });
  });

  it('is made on another network where it has left the first', () => {
    const body = recipe(inspection({ networks: { back: { NetworkID: 'b' } } }));
    expect([body.HostConfig['NetworkMode'], endpointsIn(body)]).toEqual(['back', { back: {} }]);
  });

  it('names the containers it shares things with, and asks for no port of its own in the network of another', () => {
    const host = {
      NetworkMode: 'container:111',
      PidMode: 'container:222',
      IpcMode: 'private',
      VolumesFrom: ['111:ro', 'data'],
      Links: ['/db:/web/database'],
    };
    const body = recipe(
      inspection({ config: { ExposedPorts: { '80/tcp': {} }, Hostname: 'x' }, host, networks: {} }),
      {
        '111': 'base',
      },
    );
    expect(body.HostConfig).toMatchObject({
      NetworkMode: 'container:base',
      PidMode: 'container:222',
      IpcMode: 'private',
      VolumesFrom: ['base:ro', 'data'],
      Links: ['db:database'],
    });
    expect(body).not.toHaveProperty('ExposedPorts');
    expect(body).not.toHaveProperty('Hostname');
  });

  it('can be read from what was planned, before the engine has told', () => {
    const sent = {
      Image: 'nginx',
      Labels: {},
      HostConfig: { NetworkMode: 'front' },
      NetworkingConfig: { EndpointsConfig: { front: { Aliases: ['site'] } } },
    };
    const body = recipe(readRemains(plannedRemains(ID, 'web', sent)));
    expect(body).toMatchObject({ Image: 'nginx', HostConfig: { NetworkMode: 'front' } });
    expect(endpointsIn(body)).toEqual({ front: { Aliases: ['site'] } });
  });
});

describe('what is kept of an inspection', () => {
  it('is what a recipe needs, with every digit', () => {
    const text = `{"Id":"${ID}","Name":"/web","State":{},"Config":{"Image":"i"},"HostConfig":{"Ulimits":[{"Hard":9223372036854775807}]},"NetworkSettings":{"Networks":{},"Ports":{}}}`;
    const kept = remainsOf(text);
    expect(kept).not.toContain('State');
    expect(JSON.stringify(recipe(readRemains(kept)))).toContain('"Hard":9223372036854775807');
  });
});

describe('the data that stays', () => {
  it('is in local volumes and in folders of the host', () => {
    const mounts = [
      { Type: 'volume', Name: 'v1', Driver: 'local', Destination: '/a' },
      { Type: 'volume', Name: 'v2', Driver: 'nfs', Destination: '/b' },
      { Type: 'bind', Source: '/srv', Destination: '/c' },
      { Type: 'tmpfs', Destination: '/d' },
    ];
    expect(dataLeft(inspection({ mounts }))).toEqual(['volume v1 at /a', '/srv at /c']);
  });
});
