import { expect, test } from 'vitest';
import { parseNodeNames } from './names.ts';

test.each([
  ['core-01,192.168.1.11', 'core-01', ['dns core-01', 'ip 192.168.1.11']],
  [' Core-01.Example.COM. , core-01.example.com ', 'core-01.example.com', ['dns core-01.example.com']],
  ['FD00:0::1,[fd00::1]', 'fd00--1', ['ip fd00::1']],
  ['10.0.0.1', '10.0.0.1', ['ip 10.0.0.1']],
  ['_sip.a', '_sip.a', ['dns _sip.a']],
])('%s', (text, folder, names) => {
  const parsed = parseNodeNames(text);
  expect(parsed.folder).toBe(folder);
  expect(parsed.names.map(({ type, value }) => `${type} ${value}`)).toEqual(names);
});

test.each([
  ['', 'an empty name'],
  ['a,,b', 'an empty name'],
  ['core 01', 'neither a host name nor an IP address'],
  ['-a', 'neither a host name'],
  [`${'a'.repeat(64)}`, 'neither a host name'],
  [`${'a.'.repeat(127)}aa`, 'neither a host name'],
  ['../a', 'neither a host name'],
  ['a/b', 'neither a host name'],
  ['..', 'not an IPv4 address'],
  ['10.0.0.256', 'not an IPv4 address'],
  ['10.0.0', 'not an IPv4 address'],
  ['10.0.0.1:2376', 'names without ports'],
  ['core-01:2376', 'names without ports'],
  ['[fd00::1]:2376', 'names without ports'],
  ['fe80::1%eth0', 'on one machine only'],
  ['tcp://core-01', 'not a URL'],
  ['*.example.com', 'wildcard'],
  ['münchen', 'neither a host name'],
])('refuses %j', (text, why) => {
  expect(() => parseNodeNames(text)).toThrow(why);
});
