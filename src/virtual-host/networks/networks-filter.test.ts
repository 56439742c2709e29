import { describe, expect, it } from 'vitest';
import type { Json } from '../../base/json.ts';
import { filterNetworks, networkEntries } from './networks-filter.ts';
import { collectNetworks } from './networks-view.ts';

const one = { name: 'core-01', id: 'ENGINE1' };
const two = { name: 'core-02', id: 'ENGINE2' };

function net(Id: string, Name: string, more: Json = {}): Json {
  return { Id, Name, Scope: 'local', Driver: 'bridge', Labels: {}, ...more };
}

const mesh = net('d1', 'mesh', { Scope: 'global', Driver: 'overlay' });
const all = collectNetworks([
  {
    node: one,
    networks: [net('a1', 'bridge'), net('a2', 'host', { Driver: 'host' }), net('a3', 'shop'), mesh],
  },
  {
    node: two,
    networks: [
      net('b1', 'bridge'),
      net('b2', 'shop_default', { Labels: { project: 'shop' } }),
      net('b3', 'twin'),
      mesh,
    ],
  },
  {
    node: { name: 'core-03', id: 'ENGINE3' },
    networks: [net('c1', 'twin', { Labels: { project: 'shop' } })],
  },
]);

function list(filters: Record<string, string[]>, used: string[] = []): unknown[] {
  const wanted = new Map(Object.entries(filters));
  const chosen = filterNetworks(all, wanted, ({ id }) => used.includes(id));
  return networkEntries(chosen, all, wanted).map((entry) => entry['Name']);
}

describe('a list of networks', () => {
  it('names local ones with their node, shared ones plainly', () => {
    expect(list({})).toEqual([
      'core-01/bridge',
      'core-01/host',
      'core-01/shop',
      'mesh',
      'core-02/bridge',
      'core-02/shop_default',
      'core-02/twin',
      'core-03/twin',
    ]);
  });

  it('asked for by exact name or by label gives the plain name where it is unique', () => {
    expect(list({ name: ['shop'] })).toEqual(['shop', 'core-02/shop_default']);
    expect(list({ name: ['^shop$'] })).toEqual(['shop']);
    expect(list({ name: ['shop_'] })).toEqual(['core-02/shop_default']);
    expect(list({ label: ['project=shop'] })).toEqual(['shop_default', 'core-03/twin']);
    expect(list({ name: ['twin'] })).toEqual(['core-02/twin', 'core-03/twin']);
  });

  it('matches names as Docker does, with the node too', () => {
    expect(list({ name: ['core-02/sh'] })).toEqual(['core-02/shop_default']);
    expect(list({ name: ['^mesh|twin$'] })).toEqual(['mesh', 'core-02/twin', 'core-03/twin']);
    expect(list({ name: ['('] })).toEqual([]);
  });

  it('takes the other filters', () => {
    expect(list({ driver: ['overlay'] })).toEqual(['mesh']);
    expect(list({ scope: ['global'] })).toEqual(['mesh']);
    expect(list({ node: ['core-02'] })).toEqual([
      'mesh',
      'core-02/bridge',
      'core-02/shop_default',
      'core-02/twin',
    ]);
    expect(list({ node: ['ENGINE3'] })).toEqual(['core-03/twin']);
    expect(list({ id: ['b'] })).toEqual(['core-02/bridge', 'core-02/shop_default', 'core-02/twin']);
    expect(list({ type: ['builtin'] })).toEqual(['core-01/bridge', 'core-01/host', 'core-02/bridge']);
    expect(list({ type: ['custom'], driver: ['bridge'] })).toHaveLength(4);
    expect(() => list({ type: ['other'] })).toThrow("invalid filter 'type=other'");
  });

  it('calls dangling what Docker calls so', () => {
    const used = ['a3', 'd1', 'b1'];
    expect(list({ dangling: ['true'] }, used)).toEqual([
      'core-02/shop_default',
      'core-02/twin',
      'core-03/twin',
    ]);
    expect(list({ dangling: ['false'] }, used)).toEqual([
      'core-01/bridge',
      'core-01/host',
      'core-01/shop',
      'mesh',
      'core-02/bridge',
    ]);
  });
});
