import { expect, test } from 'vitest';
import { inodeOf, namespaceLister, readNamespaces } from './namespaces.ts';

const MOUNTS = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
282 227 0:4 net:[4026532852] /run/docker/netns/ingress_sbox rw - nsfs nsfs rw
283 227 0:4 net:[4026532923] /run/docker/netns/1-lbn6mni7ej rw shared:7 - nsfs nsfs rw
284 227 0:4 mnt:[4026532900] /run/docker/netns/mounts rw - nsfs nsfs rw
286 227 0:4 net:[4026533214] /run/with\\040blank/netns/lb_dpha0ojnp rw - nsfs nsfs rw
287 227 0:4 net:[4026533299] /run/elsewhere/lb_dpha0ojnp rw - nsfs nsfs rw
290 227 0:4 net:[4026533333] /run/docker/netns/ingress_sbox rw - nsfs nsfs rw
`;

test('namespaces of engines are found among the mounts, the newest of a name last', () => {
  expect(readNamespaces(MOUNTS, '/proc/7/root')).toEqual([
    { path: '/proc/7/root/run/docker/netns/1-lbn6mni7ej', name: '1-lbn6mni7ej', inode: 4026532923 },
    { path: '/proc/7/root/run/with blank/netns/lb_dpha0ojnp', name: 'lb_dpha0ojnp', inode: 4026533214 },
    { path: '/proc/7/root/run/docker/netns/ingress_sbox', name: 'ingress_sbox', inode: 4026533333 },
  ]);
});

test("this machine's can be listed, and one that is gone has no number", async () => {
  expect(await namespaceLister()()).toBeInstanceOf(Array);
  expect(await inodeOf('/run/docker/netns/there is none')).toBe(0);
});
