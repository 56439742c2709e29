import { describe, expect, it } from 'vitest';
import { bodyNetworks, networkReferences, renameNetworks } from './networks-body.ts';
import { renameVolumes } from '../volumes/volume-plan.ts';

describe('the networks of a create body', () => {
  it('are those of NetworkMode and EndpointsConfig, but not what every engine has', () => {
    const body = (mode: string, ...endpoints: string[]): Record<string, unknown> => ({
      HostConfig: { NetworkMode: mode },
      NetworkingConfig: { EndpointsConfig: Object.fromEntries(endpoints.map((name) => [name, null])) },
    });
    for (const mode of ['', 'default', 'bridge', 'host', 'none', 'container:web']) {
      expect(networkReferences(body(mode, mode))).toEqual([]);
    }
    expect(networkReferences(body('web', 'web', 'core-01/db'))).toEqual(['web', 'core-01/db']);
    expect(networkReferences({})).toEqual([]);
    expect(bodyNetworks(body('web', 'web', 'db'))).toEqual({ web: { NetworkID: '' }, db: { NetworkID: '' } });
    expect(bodyNetworks(body('bridge'))).toEqual({});
  });

  it('get the names that the engine knows, everywhere alike', () => {
    const body = {
      Image: 'nginx',
      HostConfig: { NetworkMode: 'cafe', Memory: 1 },
      NetworkingConfig: {
        EndpointsConfig: { 'core-01/web': { Aliases: ['a'], NetworkID: 'cafe' }, bridge: null },
      },
    };
    const web = { name: 'web', id: 'beef' };
    expect(
      renameNetworks(
        body,
        new Map([
          ['cafe', web],
          ['core-01/web', web],
        ]),
      ),
    ).toEqual({
      Image: 'nginx',
      HostConfig: { NetworkMode: 'web', Memory: 1 },
      NetworkingConfig: { EndpointsConfig: { web: { Aliases: ['a'], NetworkID: 'beef' }, bridge: null } },
    });
  });
});

describe('the volumes of a create body', () => {
  it('get the names that the engine knows', () => {
    const plain = (source: string): string => source.replace(/^core-01\//, '');
    const body = {
      HostConfig: {
        Binds: ['core-01/data:/data:ro', '/core-01/x:/x', 'own:/y'],
        Mounts: [
          { Type: 'volume', Source: 'core-01/data', Target: '/z' },
          { Type: 'bind', Source: 'core-01/data', Target: '/w' },
        ],
      },
    };
    expect(renameVolumes(body, plain)).toEqual({
      HostConfig: {
        Binds: ['data:/data:ro', '/core-01/x:/x', 'own:/y'],
        Mounts: [
          { Type: 'volume', Source: 'data', Target: '/z' },
          { Type: 'bind', Source: 'core-01/data', Target: '/w' },
        ],
      },
    });
  });
});
