import { expect, test } from 'vitest';
import { lockKey, nodesFolder, storeAddress } from './store-address.ts';

test.each([
  ['a', ['a:2379'], ''],
  ['a,10.0.0.1:4001/swarm', ['a:2379', '10.0.0.1:4001'], 'swarm'],
  ['[fd00::1],[fd00::2]:4001//a//b/', ['[fd00::1]:2379', '[fd00::2]:4001'], 'a/b'],
  ['a/', ['a:2379'], ''],
])('reads %s', (rest, endpoints, prefix) => {
  expect(storeAddress(rest, 2379)).toEqual({ endpoints, prefix });
});

test('knows the keys of the original', () => {
  expect(nodesFolder('')).toBe('docker/swarm/nodes');
  expect(nodesFolder('swarm')).toBe('swarm/docker/swarm/nodes');
  expect(nodesFolder('swarm', '/my/nodes/')).toBe('swarm/my/nodes');
  expect(nodesFolder('swarm', '')).toBe('swarm/docker/swarm/nodes');
  expect(lockKey('', 'leader')).toBe('docker/swarm/leader');
  expect(lockKey('a/b', 'names/web')).toBe('a/b/docker/swarm/names/web');
});
