import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDiscovery, parseDiscovery, type DiscoveryEvent } from './index.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'discovery-'));
  path = join(folder, 'nodes');
});
afterEach(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;
const list = async (argument: string): Promise<string[]> =>
  (await (await openDiscovery(parseDiscovery(argument), { heartbeatMs: 1000 })).list({ signal: never })).map(
    ({ address }) => address,
  );

test.each([
  ['a,b', { scheme: 'nodes', rest: 'a,b' }],
  ['nodes://a', { scheme: 'nodes', rest: 'a' }],
  ['file:///etc/nodes', { scheme: 'file', rest: '/etc/nodes' }],
  ['file://nodes', { scheme: 'file', rest: 'nodes' }],
  ['token://host/path/T', { scheme: 'token', rest: 'host/path/T' }],
  ['etcd://a,b:2379/p', { scheme: 'etcd', rest: 'a,b:2379/p' }],
  ['zk://[::1]:2181', { scheme: 'zk', rest: '[::1]:2181' }],
  ['consul://a:8500/p', { scheme: 'consul', rest: 'a:8500/p' }],
])('reads %s', (text, spec) => {
  expect(parseDiscovery(text)).toEqual(spec);
});

test.each([
  ['foo://a', 'discovery service not supported: "foo"; the forms are token://, consul://'],
  ['unix:///a.sock', 'an engine is given as nodes://unix:///a.sock'],
  ['tcp://a:1', 'an engine is given as nodes://tcp://a:1'],
  ['token://', 'nothing follows token://'],
  ['file://', 'nothing follows file://'],
  ['etcd://a b/p', 'invalid etcd address "a b"'],
  ['etcd://a:99999', 'invalid etcd address "a:99999"'],
  ['consul://a,b', 'consul:// takes one address'],
])('refuses %s', (text, message) => {
  expect(() => parseDiscovery(text)).toThrow(message);
});

test('lists nodes', async () => {
  expect(await list('a, b:1 ,,10.0.0.[1:2]')).toEqual(['a:2375', 'b:1', '10.0.0.1:2375', '10.0.0.2:2375']);
});

test('a wrong node is named when the discovery is opened', async () => {
  await expect(openDiscovery(parseDiscovery('a,b:x'), { heartbeatMs: 1 })).rejects.toThrow(
    'node 2: invalid node "b:x"',
  );
  await expect(openDiscovery(parseDiscovery('nodes://,,'), { heartbeatMs: 1 })).rejects.toThrow('no node');
});

test('nothing can be registered in a list', async () => {
  const discovery = await openDiscovery(parseDiscovery('a'), { heartbeatMs: 1 });
  await expect(discovery.register('b:1', { ttlMs: 1, signal: never })).rejects.toThrow('not implemented');
});

test('a watch of nodes yields once and ends with its signal', async () => {
  const abort = new AbortController();
  const events: DiscoveryEvent[] = [];
  const discovery = await openDiscovery(parseDiscovery('a'), { heartbeatMs: 1 });
  for await (const event of discovery.watch({ signal: abort.signal })) {
    events.push(event);
    setTimeout(() => abort.abort(), 5);
  }
  expect(events).toEqual([{ kind: 'entries', entries: [{ address: 'a:2375' }] }]);
});

test('reads a file with comments, blank lines, ranges and Windows line ends', async () => {
  writeFileSync(path, '# the pool\r\n\r\n  10.0.0.1:2375 # first\n#10.0.0.9\n10.0.0.[2:3]\n10.0.0.1\n');
  expect(await list(`file://${path}`)).toEqual(['10.0.0.1:2375', '10.0.0.2:2375', '10.0.0.3:2375']);
});

test('an empty file is an empty list', async () => {
  writeFileSync(path, '');
  expect(await list(`file://${path}`)).toEqual([]);
});

test('names the line that is wrong', async () => {
  writeFileSync(path, 'a\n\nb:x\n');
  await expect(list(`file://${path}`)).rejects.toThrow(`${path}, line 3: invalid node "b:x"`);
});

test.each([
  ['/nowhere/nodes', 'no such file or directory'],
  ['/tmp', 'not a regular file'],
  ['/dev/zero', 'not a regular file'],
])('says why %s cannot be read', async (file, why) => {
  await expect(list(`file://${file}`)).rejects.toThrow(`failed to read '${file}': ${why}`);
});

test('a watch follows the file, keeps its list through trouble, and reports trouble once', async () => {
  // One step before each look after the first; the last one stops the watch.
  const abort = new AbortController();
  const steps = [
    () => writeFileSync(path, 'a\nb\n'),
    () => undefined,
    () => rmSync(path),
    () => undefined,
    () => writeFileSync(path, 'a\nb:x\n'),
    () => writeFileSync(path, 'a\nb\n'),
    () => abort.abort(),
  ];
  writeFileSync(path, 'a\n');
  const wait = async (ms: number): Promise<void> => {
    expect(ms).toBe(60_000);
    steps.shift()?.();
  };
  const discovery = await openDiscovery(parseDiscovery(`file://${path}`), { heartbeatMs: 60_000, wait });
  const seen: string[] = [];
  for await (const event of discovery.watch({ signal: abort.signal }))
    seen.push(event.kind === 'entries' ? event.entries.map((entry) => entry.address).join() : event.message);
  expect(seen).toEqual([
    'a:2375',
    'a:2375,b:2375',
    `failed to read '${path}': no such file or directory`,
    `${path}, line 2: invalid node "b:x": expected host:port`,
    'a:2375,b:2375',
  ]);
});
