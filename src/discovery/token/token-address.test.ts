import { expect, test } from 'vitest';
import { tokenAddress, tokenService } from './token-address.ts';

const T = '0123456789abcdef0123456789abcdef';

test.each([
  [T, 'http://a:8090', `http://a:8090 ${T}`],
  [T, 'https://a:8090/v1/', `https://a:8090/v1 ${T}`],
  [T.toUpperCase(), 'http://[::1]:1', `http://[::1]:1 ${T}`],
  [`a/v1/${T}`, undefined, `https://a/v1 ${T}`],
  [`a:8090/${T}`, 'http://b', `https://a:8090 ${T}`],
])('%s at %s', (rest, url, expected) => {
  const { serviceUrl, token } = tokenAddress(rest, url);
  expect(`${serviceUrl} ${token}`).toBe(expected);
});

test.each([
  ['abc', 'malformed token "abc": a token has 32 hexadecimal digits'],
  [`${T}0`, 'malformed token'],
  [`a/${'g'.repeat(32)}`, 'malformed token'],
  ['x'.repeat(500), 'malformed token "xxxxxxxx..."'],
  [`/${T}`, 'invalid URL of a token service'],
])('refuses %s', (rest, message) => {
  expect(() => tokenAddress(rest, 'http://a')).toThrow(message);
});

test('without a service the way to one of our own is said', () => {
  expect(() => tokenAddress(T, undefined)).toThrow(/is gone.*swarm discovery -H.*export SWARM_TOKEN_URL=/);
});

test('neither a token nor a password is quoted', () => {
  expect(() => tokenAddress(`${T}0`, 'http://a')).toThrow(`malformed token "${T.slice(0, 8)}..."`);
  for (const url of ['http://u:secret@a', 'u:secret@a', 'ftp://u:secret@a/'])
    expect(() => tokenService(url)).toThrow(/^invalid URL of a token service "(http:\/\/|ftp:\/\/)?\.\.\.@a/);
});

test.each(['a:8090', 'ftp://a', 'http://', 'http:///a', 'http://u:p@a', 'http://a/?b', 'http://a:99999'])(
  'refuses the URL %s',
  (url) => {
    expect(() => tokenService(url)).toThrow('invalid URL of a token service');
  },
);
