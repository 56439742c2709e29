import { expect, test } from 'vitest';
import type { Backend, ServiceEndpoints } from '../../model/index.ts';
import { backend, network, service } from '../rules/testing.ts';
import { PeerList } from './listed-peers.ts';

const of = (id: string, backends: readonly Backend[]): ServiceEndpoints => ({
  ...service('10.0.1.5', backends),
  serviceId: id,
});
const [own] = network.address.split('/');

test('what a service says, and what it says no more', () => {
  const list = new PeerList('here');
  const first = [backend('10.0.1.11'), backend('10.0.1.12', { state: 'leaving' }), backend('10.0.1.13')];
  const other = of('b', [backend('10.0.1.21'), backend('10.0.1.22', { nodeId: 'here' })]);
  const more = [backend(own ?? ''), backend('no address')];
  const all = list.update(network, [of('a', [...first, ...more]), other]);
  expect([...list.wanted.keys()].sort()).toEqual(['10.0.1.11', '10.0.1.13', '10.0.1.21']);
  expect([...list.kept]).toEqual(['10.0.1.12']);
  expect(all.has('10.0.1.11')).toBe(true);
  const before = list.wanted.get('10.0.1.13');
  const moved = backend('10.0.1.11', { nodeAddress: '192.168.0.9' });
  expect(list.update(network, [of('a', [moved, backend('10.0.1.13')]), other])).toEqual(
    new Set(['10.0.1.11', '10.0.1.12', own]),
  );
  expect(list.wanted.get('10.0.1.11')).toMatchObject({ nodeAddress: '192.168.0.9' });
  expect(list.wanted.get('10.0.1.13')).toBe(before);
  expect([...list.kept]).toEqual([]);
  expect(list.update(network, [other])).toEqual(new Set(['10.0.1.11', '10.0.1.13']));
  expect([...list.wanted.keys()]).toEqual(['10.0.1.21']);
});

test('an address that two services claim stays until neither does', () => {
  const list = new PeerList('here');
  const old = of('a', [backend('10.0.1.11', { nodeId: 'old' })]);
  const fresh = of('b', [backend('10.0.1.11', { nodeId: 'new' })]);
  list.update(network, [old, fresh]);
  expect(list.wanted.get('10.0.1.11')?.nodeId).toBe('new');
  expect(list.update(network, [fresh])).toEqual(new Set(['10.0.1.11']));
  expect(list.wanted.get('10.0.1.11')?.nodeId).toBe('new');
  list.update(network, []);
  expect(list.wanted.size).toBe(0);
});

test('nodes that clients come in by, and a node whose own address changes', () => {
  const list = new PeerList('here');
  const entries = [{ nodeId: 'there', address: '10.0.1.2' }];
  const web = of('a', [backend('10.0.1.250')]);
  list.update({ ...network, entries, address: '10.0.1.250/24' }, [web]);
  expect([...list.wanted.keys()]).toEqual(['10.0.1.2']);
  list.update({ ...network, address: '10.0.1.2/24' }, [web]);
  expect([...list.wanted.keys()]).toEqual(['10.0.1.250']);
});
