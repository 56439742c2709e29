import { describe, expect, it } from 'vitest';
import type { Json } from '../../base/json.ts';
import { noteLabels } from './networks-labels.ts';
import {
  ambiguousNetwork,
  collectNetworks,
  isOnNetwork,
  matchNetworks,
  mergeEndpoints,
} from './networks-view.ts';

const one = { name: 'core-01' };
const two = { name: 'core-02' };

function net(Id: string, Name: string, more: Json = {}): Json {
  return { Id, Name, Scope: 'local', Driver: 'bridge', Labels: {}, ...more };
}

describe('the networks of a cluster', () => {
  it('has a shared network once, with all its nodes', () => {
    const shared = net('aa11', 'mesh', { Scope: 'global', Driver: 'overlay' });
    const all = collectNetworks([
      { node: one, networks: [net('b1', 'bridge'), shared] },
      { node: two, networks: [net('b2', 'bridge'), shared] },
    ]);
    expect(all.map(({ name, nodes }) => [name, ...nodes.map((node) => node.name)])).toEqual([
      ['bridge', 'core-01'],
      ['mesh', 'core-01', 'core-02'],
      ['bridge', 'core-02'],
    ]);
  });

  it('shows a network that is just moving only where it moves to, and hides the notes', () => {
    const request = { Driver: 'bridge' };
    const old = net('aaaa', 'web', { Labels: noteLabels({ request, formerIds: [] }) });
    const labels = { team: 'a', ...noteLabels({ request, formerIds: ['0000', 'aaaa'] }) };
    const all = collectNetworks([
      { node: one, networks: [old] },
      { node: two, networks: [net('bbbb', 'web', { Labels: labels })] },
    ]);
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({
      id: 'bbbb',
      root: '0000',
      formerIds: ['0000', 'aaaa'],
      request,
      home: two,
    });
    expect(all[0]?.labels).toEqual({ team: 'a' });
    expect(all[0]?.entry['Labels']).toEqual({ team: 'a' });
  });

  it('takes a spoiled note as none', () => {
    const labels = { 'com.docker.swarm.network.request': '{' };
    const [network] = collectNetworks([{ node: one, networks: [net('aa', 'web', { Labels: labels })] }]);
    expect(network?.request).toBeUndefined();
  });
});

describe('a reference', () => {
  const labels = noteLabels({ request: {}, formerIds: ['deadbeef'] });
  const all = collectNetworks([
    { node: one, networks: [net('b1', 'bridge'), net('cafe01', 'web'), net('ab12', 'cafe')] },
    {
      node: two,
      networks: [net('b2', 'bridge'), net('cafe02', 'web'), net('ab34', 'moved', { Labels: labels })],
    },
  ]);
  const ids = (reference: string, placed?: { node: typeof one; name: string }): string[] =>
    matchNetworks(all, reference, placed)?.networks.map(({ id }) => id) ?? [];

  it('is an id, a former id, a name, node/name or a prefix, in this order', () => {
    expect(ids('cafe01')).toEqual(['cafe01']);
    expect(ids('deadbeef')).toEqual(['ab34']);
    expect(ids('deadb')).toEqual(['ab34']);
    expect(ids('web')).toEqual(['cafe01', 'cafe02']);
    expect(ids('core-02/web', { node: two, name: 'web' })).toEqual(['cafe02']);
    expect(ids('core-02/cafe0', { node: two, name: 'cafe0' })).toEqual(['cafe02']);
    expect(ids('cafe')).toEqual(['ab12']);
    expect(ids('cafe0')).toEqual(['cafe01', 'cafe02']);
    expect(ids('none-such')).toEqual([]);
    expect(ids('')).toEqual([]);
  });

  it('that means several is refused in the words of Docker', () => {
    const byName = matchNetworks(all, 'web');
    const byPrefix = matchNetworks(all, 'cafe0');
    expect(byName && ambiguousNetwork('web', byName).message).toBe(
      'network web is ambiguous (2 matches found based on name): say which one (core-01/web, core-02/web)',
    );
    expect(byPrefix && ambiguousNetwork('cafe0', byPrefix).message).toBe(
      'network cafe0 is ambiguous (2 matches found based on ID prefix)',
    );
  });
});

describe('a container', () => {
  const web = { id: 'cafe01', name: 'web' };
  const on = (networks: Json, mode = 'default'): boolean =>
    isOnNetwork({ HostConfig: { NetworkMode: mode }, NetworkSettings: { Networks: networks } }, web);

  it('is on a network by its mode, or by an endpoint with its id, or its name while the id is not known', () => {
    expect(on({}, 'web')).toBe(true);
    expect(on({ web: { NetworkID: '' } })).toBe(true);
    expect(on({ other: {}, web: { NetworkID: 'cafe01' } })).toBe(true);
    expect(on({ web: { NetworkID: 'beef' } })).toBe(false);
    expect(on({ bridge: { NetworkID: 'b1' } })).toBe(false);
  });
});

describe('the containers on a shared network', () => {
  const endpoint = (EndpointID: string, Name: string): Json => ({ EndpointID, Name });

  it('are each there once, as its own engine tells of it; what a lost node left stays', () => {
    const merged = mergeEndpoints([
      { c1: endpoint('e1', 'web'), 'ep-e2': endpoint('e2', 'app'), 'ep-e3': endpoint('e3', 'lost') },
      { c2: endpoint('e2', 'app'), 'ep-e1': endpoint('e1', 'web'), 'ep-e3': endpoint('e3', 'lost') },
      {},
    ]);
    expect(Object.keys(merged).sort()).toEqual(['c1', 'c2', 'ep-e3']);
  });
});
