import { expect, test } from 'vitest';
import { isExposed, listenText, parseListenAddress } from './listen-address.ts';

test.each([
  ['tcp://127.0.0.1:2375', { kind: 'tcp', host: '127.0.0.1', port: 2375 }, '127.0.0.1:2375', false],
  ['127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1', port: 0 }, '127.0.0.1:0', false],
  [':3376', { kind: 'tcp', host: '', port: 3376 }, ':3376', true],
  ['tcp://:3376', { kind: 'tcp', host: '', port: 3376 }, ':3376', true],
  ['tcp://0.0.0.0:3376/', { kind: 'tcp', host: '0.0.0.0', port: 3376 }, '0.0.0.0:3376', true],
  ['localhost:1', { kind: 'tcp', host: 'localhost', port: 1 }, 'localhost:1', false],
  ['my-host.example:1', { kind: 'tcp', host: 'my-host.example', port: 1 }, 'my-host.example:1', true],
  ['[::1]:1', { kind: 'tcp', host: '::1', port: 1 }, '[::1]:1', false],
  ['tcp://[::]:1', { kind: 'tcp', host: '::', port: 1 }, '[::]:1', true],
  ['unix:///run/s.sock', { kind: 'unix', path: '/run/s.sock' }, '/run/s.sock', false],
  ['unix://s.sock', { kind: 'unix', path: 's.sock' }, 's.sock', false],
])('%s', (text, address, shown, exposed) => {
  const read = parseListenAddress(text);
  expect(read).toEqual(address);
  expect(listenText(read)).toBe(shown);
  expect(isExposed(read)).toBe(exposed);
});

test.each([
  ['', 'missing port'],
  ['1.2.3.4', 'missing port'],
  ['1.2.3.4:', 'the port is not a number'],
  ['1.2.3.4:http', 'the port is not a number'],
  ['1.2.3.4:65536', 'the port is not a number up to 65535'],
  ['1.2.3.4.5:1', 'not an IPv4 address'],
  ['300.1.1.1:1', 'not an IPv4 address'],
  ['::1:2375', 'IPv6 needs brackets'],
  ['fe80:1:2', 'IPv6 needs brackets'],
  ['[::g]:1', 'not an IPv6 address'],
  ['a b:1', 'not a host name'],
  ['tcp://host:1/path', 'the port is not a number'],
  ['unix://', 'the path of the socket is missing'],
  [`unix:///${'x'.repeat(107)}`, 'at most 107 bytes'],
  ['fd://', 'unsupported protocol: "fd"'],
  ['http://a:1', 'unsupported protocol: "http"'],
])('refuses %s', (text, why) => {
  expect(() => parseListenAddress(text)).toThrow(why);
});
