import { expect, test } from 'vitest';
import type { SystemAddress } from './interfaces.ts';
import { addressesNow } from './moved-address.ts';
import type { SwarmAddresses } from './swarm-addresses.ts';

const at = (device: string, ip: string): SystemAddress => ({
  device,
  ip,
  family: ip.includes(':') ? 6 : 4,
  internal: device === 'lo',
});
const DOCKER = ['172.17.0.0/16'];
const BRIDGE = at('docker0', '172.17.0.1');

const FORMER: SwarmAddresses = {
  listen: { host: '0.0.0.0', port: 2377 },
  advertise: { host: '10.0.0.3', port: 4567 },
  dataPath: '',
  source: { device: 'eth0', isNamed: false },
};
const now = (
  former: SwarmAddresses,
  addresses: readonly SystemAddress[],
  { engineSubnets = DOCKER, gone = '' }: { engineSubnets?: readonly string[]; gone?: string } = {},
): SwarmAddresses =>
  addressesNow(former, {
    addresses: [at('lo', '127.0.0.1'), ...addresses],
    engineSubnets,
    hasDevice: (name) => name !== gone,
  });

test('an address that is still there stays, also on another device', () => {
  expect(now(FORMER, [at('eth0', '10.0.0.3'), at('eth0', '10.0.0.9')])).toBe(FORMER);
  expect(now(FORMER, [at('eth1', '10.0.0.3'), at('eth0', '10.0.0.9')])).toBe(FORMER);
});

test('where the device has another one, that is advertised, at the same port', () => {
  const { advertise, listen, source } = now(FORMER, [BRIDGE, at('eth0', '10.1.0.3'), at('eth0', 'fe80::1')]);
  expect(advertise).toEqual({ host: '10.1.0.3', port: 4567 });
  expect(listen).toBe(listen);
  expect(source).toEqual(FORMER.source);
});

test('what was listened on, and where packets go, goes along', () => {
  const former = { ...FORMER, listen: { host: '10.0.0.3', port: 4567 }, dataPath: '10.0.0.3' };
  const found = now(former, [at('eth0', '10.1.0.3')]);
  expect([found.listen.host, found.dataPath]).toEqual(['10.1.0.3', '10.1.0.3']);
  expect(now({ ...former, dataPath: '10.9.9.9' }, [at('eth0', '10.1.0.3')]).dataPath).toBe('10.9.9.9');
});

test('where the device is gone, the only address of the host is advertised', () => {
  const gone = 'eth0';
  expect(now(FORMER, [BRIDGE, at('enp3s0', '10.0.0.4')], { gone })).toMatchObject({
    advertise: { host: '10.0.0.4' },
    source: { device: 'enp3s0', isNamed: false },
  });
  expect(() => now(FORMER, [at('eth1', '10.0.0.4'), at('eth2', '10.0.0.5')], { gone })).toThrow(
    'multiple addresses',
  );
  // Docker's own devices can't be told from others yet.
  expect(now(FORMER, [BRIDGE], { gone, engineSubnets: [] })).toBe(FORMER);
});

test.each([
  ['has none yet', [BRIDGE, at('eth1', '10.0.0.8')]],
  ['has one of its segment alone', [at('eth0', '169.254.3.4'), BRIDGE, at('eth1', '10.0.0.8')]],
])('as long as the device %s, nothing changes', (_what, addresses) => {
  expect(now(FORMER, addresses)).toBe(FORMER);
});

test('a device with several addresses does not show which one is meant', () => {
  expect(() => now(FORMER, [at('eth0', '10.1.0.3'), at('eth0', '10.2.0.3')])).toThrow('more than one IPv4');
});

test('a device that the user named is looked up anew, and no other one stands in for it', () => {
  const named = { ...FORMER, source: { device: 'eth0', isNamed: true } };
  const moved = now(named, [at('eth1', '10.0.0.3'), at('eth0', '10.1.0.3')]);
  expect(moved.advertise.host).toBe('10.1.0.3');
  expect(now(named, [at('eth1', '10.0.0.4')])).toBe(named);
});

test('an address of another machine is never replaced; one of the host’s own is known as such from then on', () => {
  const { listen, advertise, dataPath } = FORMER;
  const unknown = { listen, advertise, dataPath };
  expect(now(unknown, [at('eth0', '10.1.0.3')])).toBe(unknown);
  expect(now(unknown, [at('eth0', '10.0.0.3')])).toEqual(FORMER);
});
