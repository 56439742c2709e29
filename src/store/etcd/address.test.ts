import { describe, expect, it } from 'vitest';
import { parseEtcdAddress } from './address.ts';

describe('the address of an etcd', () => {
  it('names endpoints, and a prefix and a user where there are such', () => {
    expect(parseEtcdAddress('etcd://a')).toEqual({ endpoints: ['a:2379'], prefix: '/skep' });
    expect(parseEtcdAddress('etcd://10.0.0.1,b.example:4001,[fd00::1],[fd00::2]:1/')).toEqual({
      endpoints: ['10.0.0.1:2379', 'b.example:4001', '[fd00::1]:2379', '[fd00::2]:1'],
      prefix: '/skep',
    });
    expect(parseEtcdAddress('etcd://me:p%40ss:w%2Frd@a/team//swarm/')).toEqual({
      endpoints: ['a:2379'],
      prefix: '/team/swarm',
      user: 'me',
      password: 'p@ss:w/rd',
    });
  });

  it.each([
    ['etcd://', 'expected etcd://host[:port],…[/prefix]'],
    ['http://a', 'expected etcd://host[:port],…[/prefix]'],
    ['etcd://a?b', 'expected etcd://host[:port],…[/prefix]'],
    ['etcd://a,,b', "'' is no host[:port]"],
    ['etcd://a:0', "'a:0' is no host[:port]"],
    ['etcd://a:99999', "'a:99999' is no host[:port]"],
    ['etcd://a b', "'a b' is no host[:port]"],
    ['etcd://[::g]', "'[::g]' is no host[:port]"],
    ['etcd://a,a:2379', 'a:2379 is named twice'],
    ['etcd://a/ü', "'ü' can't be a part of its prefix"],
    ['etcd://me@a', 'a user needs a password: etcd://user:password@host'],
    ['etcd://me:%@a', 'in the user and the password, % begins an escape'],
  ])('is refused: %s', (text, why) => {
    expect(() => parseEtcdAddress(text)).toThrow(`invalid etcd address: ${why}`);
  });
});
