import { expect, test } from 'vitest';
import { deviceAddress, soleAddress, type SystemAddress } from './interfaces.ts';
import { swarmAddresses, type AddressWish } from './swarm-addresses.ts';

const at = (device: string, ip: string): SystemAddress => ({
  device,
  ip,
  family: ip.includes(':') ? 6 : 4,
  internal: device === 'lo',
});
const LO = [at('lo', '127.0.0.1'), at('lo', '::1')];
const ETH0 = at('eth0', '192.168.150.3');
const BRIDGE = at('docker0', '172.17.0.1');
const DOCKER = ['172.17.0.0/16'];

const choose = (wish: Partial<AddressWish>, addresses: SystemAddress[], engineSubnets: string[] = []) =>
  swarmAddresses(
    { listenAddr: '0.0.0.0:2377', advertiseAddr: '', dataPathAddr: '', ...wish },
    { addresses: [...LO, ...addresses], engineSubnets },
  );

test('the only address of the machine is advertised; loopback, link-local and networks of Docker do not count', () => {
  const system = [...LO, ETH0, at('eth0', 'fe80::1'), BRIDGE];
  expect(soleAddress(system, DOCKER)).toBe('192.168.150.3');
  expect(() => soleAddress(system, [])).toThrow(
    'could not choose an IP address to advertise since this system has multiple addresses on different interfaces (192.168.150.3 on eth0 and 172.17.0.1 on docker0)',
  );
  expect(() => soleAddress([...LO, ETH0, at('eth0', '10.0.0.1')], [])).toThrow(
    'could not choose an IP address to advertise since this system has multiple addresses on interface eth0 (192.168.150.3 and 10.0.0.1)',
  );
  expect(() => soleAddress(LO, [])).toThrow("could not find the system's IP address");
  expect(soleAddress([...LO, at('eth0', '2001:db8::1')], [])).toBe('2001:db8::1');
});

test('a device stands for its address, IPv4 before IPv6', () => {
  expect(deviceAddress('eth0', [at('eth0', '2001:db8::1'), ETH0])).toBe('192.168.150.3');
  expect(deviceAddress('eth1', [ETH0])).toBeUndefined();
  expect(() => deviceAddress('eth0', [ETH0, at('eth0', '10.0.0.1')])).toThrow(
    'interface eth0 has more than one IPv4 address (192.168.150.3 and 10.0.0.1)',
  );
});

test.each<[Partial<AddressWish>, string, string, string]>([
  [{}, '0.0.0.0:2377', '192.168.150.3:2377', ''],
  [{ advertiseAddr: '192.168.150.3' }, '0.0.0.0:2377', '192.168.150.3:2377', ''],
  [{ advertiseAddr: 'eth0:4567' }, '0.0.0.0:2377', '192.168.150.3:4567', ''],
  [{ advertiseAddr: '127.0.0.1' }, '0.0.0.0:2377', '127.0.0.1:2377', ''],
  [{ listenAddr: 'eth0:4000' }, '192.168.150.3:4000', '192.168.150.3:4000', ''],
  [{ listenAddr: 'lo:4000', advertiseAddr: '10.9.9.9' }, '127.0.0.1:4000', '10.9.9.9:4000', ''],
  [
    { listenAddr: '127.0.0.1', advertiseAddr: '127.0.0.1', dataPathAddr: 'eth0' },
    '127.0.0.1:2377',
    '127.0.0.1:2377',
    '192.168.150.3',
  ],
  [{ listenAddr: '[::]:2377', advertiseAddr: '[2001:db8::9]:2378' }, '[::]:2377', '[2001:db8::9]:2378', ''],
  [{ advertiseAddr: '203.0.113.1' }, '0.0.0.0:2377', '203.0.113.1:2377', ''],
])('%j', (wish, listen, advertise, dataPath) => {
  const found = choose(wish, [ETH0]);
  const text = ({ host, port }: { host: string; port: number }): string =>
    `${host.includes(':') ? `[${host}]` : host}:${port}`;
  expect([text(found.listen), text(found.advertise), found.dataPath]).toEqual([listen, advertise, dataPath]);
});

test.each<[Partial<AddressWish>, string]>([
  [{ listenAddr: 'nowhere:2377' }, 'listen address must be an IP address or network interface'],
  [{ listenAddr: '0.0.0.0:99999' }, 'could not parse listen address 0.0.0.0:99999'],
  [{ advertiseAddr: '0.0.0.0' }, 'advertise address must be a non-zero IP address or network interface'],
  [{ advertiseAddr: 'a b' }, 'advertise address must be a non-zero IP address or network interface'],
  [{ advertiseAddr: '__proto__' }, 'advertise address must be a non-zero IP address or network interface'],
  [{ dataPathAddr: '::' }, 'data path address must be a non-zero IP address or network interface'],
  [{ dataPathAddr: '10.0.0.1:4' }, 'data path address must be a non-zero IP address or network interface'],
])('refuses %j', (wish, words) => {
  expect(() => choose(wish, [ETH0])).toThrow(words);
});

test('an address of nobody here needs one of this machine to be listened on', () => {
  expect(() => choose({ advertiseAddr: '203.0.113.1' }, [ETH0, BRIDGE])).toThrow(
    'must specify a listening address',
  );
  expect(choose({ advertiseAddr: '203.0.113.1' }, [ETH0, BRIDGE], DOCKER).advertise.host).toBe('203.0.113.1');
});
