import { expect, test } from 'vitest';
import type { Network } from '../../model/index.ts';
import { networkFindings } from './network-findings.ts';
import { networkOf } from './testing.ts';

const meta = { version: 1, createdAtMs: 0, updatedAtMs: 0 };
const network = (...args: Parameters<typeof networkOf>): Network => ({ ...networkOf(...args), meta });

test('networks that are apart', () => {
  const networks = [network('a', 'a', '10.0.0.0/24', '4097'), network('b', 'b', '10.0.1.0/24', '4098')];
  expect(networkFindings(networks, [{ device: 'eth0', ip: '192.168.1.5' }])).toEqual([]);
});

test('a subnet that two have, an id that two have, a subnet that the host is in', () => {
  const networks = [network('a', 'a', '10.0.0.0/16', '4097'), network('b', 'b', '10.0.1.0/24', '4097')];
  const addresses = [
    { device: 'eth0', ip: '10.0.1.7' },
    { device: 'eth1', ip: 'fe80::1%eth1' },
  ];
  expect(networkFindings(networks, addresses).map(({ verdict, text }) => `${verdict}: ${text}`)).toEqual([
    "warning: Its subnet 10.0.0.0/16 holds an address of this manager's host, 10.0.1.7 (eth0): containers on it can't reach what is there",
    'fault: Its subnet 10.0.1.0/24 overlaps 10.0.0.0/16 of a: remove one of them',
    "warning: Its subnet 10.0.1.0/24 holds an address of this manager's host, 10.0.1.7 (eth0): containers on it can't reach what is there",
    'fault: Its VXLAN id 4097 is that of a too: remove one of them',
  ]);
});

test('options are keys of users', () => {
  const odd = network('a', '__proto__', 'no subnet', 'no ids');
  expect(networkFindings([odd, network('b', 'b', '10.0.1.0/24', '4097')], [])).toEqual([]);
});
