import { X509Certificate } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { certify, type CertifyReport, type CertifyRequest } from './certify.ts';
import { coversName, isSignedBy, mayServeAs, validityAt } from './judge.ts';
import { parseNodeNames } from './names.ts';

const NOW_MS = Date.UTC(2031, 4, 2, 12);
const DAY_MS = 24 * 3600_000;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-certs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function make(
  { hosts = ['core-01,10.0.0.1'], ...more }: Partial<CertifyRequest> & { hosts?: string[] } = {},
  name = 'ca',
): Promise<CertifyReport> {
  const caFolder = join(folder, name);
  const nodes = hosts.map(parseNodeNames);
  return certify({ caFolder, outFolder: caFolder, nodes, days: 90, force: false, nowMs: NOW_MS, ...more });
}

const at = (...path: string[]): string => join(folder, ...path);
const read = (...path: string[]): X509Certificate => new X509Certificate(readFileSync(at(...path)));
const modeOf = (...path: string[]): number => statSync(at(...path)).mode & 0o777;

test('makes a CA, a pair for each node and one for the client', async () => {
  const { authority, nodes, client } = await make({ hosts: ['core-01,10.0.0.1', 'core-02,FD00::2'] });
  expect([authority, ...nodes, client].map(({ made }) => made)).toEqual([true, true, true, true]);
  expect(readdirSync(at('ca')).sort()).toEqual(['ca-key.pem', 'ca.pem', 'client', 'core-01', 'core-02']);

  const ca = read('ca', 'ca.pem');
  expect(ca.ca).toBe(true);
  expect(validityAt(ca, NOW_MS)).toBe('valid');
  expect(validityAt(ca, NOW_MS + 3600 * DAY_MS)).toBe('valid');
  expect(validityAt(ca, NOW_MS + 3700 * DAY_MS)).toBe('expired');
  const serials = new Set<string>();
  for (const name of ['core-01', 'core-02', 'client']) {
    expect(readdirSync(at('ca', name)).sort()).toEqual(['ca.pem', 'cert.pem', 'key.pem']);
    expect([modeOf('ca', name), modeOf('ca', name, 'key.pem')]).toEqual([0o700, 0o600]);
    expect(readFileSync(at('ca', name, 'ca.pem'))).toEqual(readFileSync(at('ca', 'ca.pem')));
    const certificate = read('ca', name, 'cert.pem');
    expect(isSignedBy([certificate], [ca])).toBe(true);
    expect(certificate.subject).toBe(`CN=${name}`);
    expect(validityAt(certificate, NOW_MS - 60_000)).toBe('valid');
    expect(validityAt(certificate, NOW_MS + 91 * DAY_MS)).toBe('expired');
    serials.add(certificate.serialNumber);
  }
  expect(modeOf('ca', 'ca-key.pem')).toBe(0o600);
  expect(serials.size).toBe(3);

  const [first, second] = [read('ca', 'core-01', 'cert.pem'), read('ca', 'core-02', 'cert.pem')];
  for (const name of ['core-01', '10.0.0.1', 'localhost', '127.0.0.1', '::1'])
    expect(coversName(first, name)).toBe(true);
  for (const name of ['core-02', '10.0.0.2']) expect(coversName(first, name)).toBe(false);
  expect(coversName(second, 'fd00:0:0::2')).toBe(true);
  expect([mayServeAs(first, 'server'), mayServeAs(first, 'client')]).toEqual([true, true]);
  const person = read('ca', 'client', 'cert.pem');
  expect([mayServeAs(person, 'server'), mayServeAs(person, 'client')]).toEqual([false, true]);
});

test('keeps what is there and good, and makes what is missing', async () => {
  await make();
  const before = readFileSync(at('ca', 'core-01', 'cert.pem'));
  const { authority, nodes, client } = await make({ hosts: ['core-01', 'core-02'] });
  expect([authority, ...nodes, client].map(({ made }) => made)).toEqual([false, false, true, false]);
  expect(readFileSync(at('ca', 'core-01', 'cert.pem'))).toEqual(before);
});

test('overwrites what is no good only by force, and then in its folder', async () => {
  await make();
  const inode = statSync(at('ca', 'core-01')).ino;
  const ca = readFileSync(at('ca', 'ca.pem'));
  await expect(make({ hosts: ['core-01,10.0.0.9'] })).rejects.toThrow(
    'cert.pem is not valid for 10.0.0.9. --force makes',
  );
  await expect(make({ nowMs: NOW_MS + 91 * DAY_MS })).rejects.toThrow(
    'cert.pem expired on 2031-07-31. --force',
  );
  writeFileSync(at('ca', 'core-01', 'notes'), 'mine');
  const { nodes } = await make({ hosts: ['core-01,10.0.0.9'], force: true });
  expect(nodes[0]?.made).toBe(true);
  expect(coversName(read('ca', 'core-01', 'cert.pem'), '10.0.0.9')).toBe(true);
  expect(readFileSync(at('ca', 'core-01', 'notes'), 'utf8')).toBe('mine');
  expect(statSync(at('ca', 'core-01')).ino).toBe(inode);
  expect(readFileSync(at('ca', 'ca.pem'))).toEqual(ca);
  expect((await make({ hosts: ['core-01,10.0.0.9'] })).nodes[0]?.made).toBe(false);
});

test('a pair that is not whole is named, and nothing else is made', async () => {
  await make();
  rmSync(at('ca', 'core-01', 'cert.pem'));
  await expect(make({ hosts: ['core-02', 'core-01'] })).rejects.toThrow('core-01/cert.pem missing. --force');
  expect(existsSync(at('ca', 'core-02'))).toBe(false);
  copyFileSync(at('ca', 'client', 'cert.pem'), at('ca', 'core-01', 'cert.pem'));
  await expect(make()).rejects.toThrow('does not fit key.pem');
  await make({}, 'other');
  for (const file of ['cert.pem', 'key.pem'])
    copyFileSync(at('other', 'core-01', file), at('ca', 'core-01', file));
  await expect(make()).rejects.toThrow('is signed by another CA');
});

test('a pair whose peers would be checked with another CA is named', async () => {
  await make();
  await make({}, 'other');
  copyFileSync(at('other', 'ca.pem'), at('ca', 'core-01', 'ca.pem'));
  await expect(make()).rejects.toThrow('core-01/ca.pem does not have the CA that signs here. --force');
});

test('runs at the same time end in one CA and whole pairs of it', async () => {
  await Promise.all([1, 2, 3, 4].map((number) => make({ hosts: ['core-01', `core-1${number}`] })));
  const ca = read('ca', 'ca.pem');
  expect(readdirSync(at('ca')).filter((name) => name.startsWith('.'))).toEqual([]);
  for (const name of ['core-01', 'core-11', 'core-14', 'client'])
    expect(isSignedBy([read('ca', name, 'cert.pem')], [ca])).toBe(true);
  expect((await make({ hosts: ['core-01', 'core-12'] })).nodes.map(({ made }) => made)).toEqual([
    false,
    false,
  ]);
});

test('goes on where a run was interrupted before the CA had its certificate', async () => {
  await make();
  const key = readFileSync(at('ca', 'ca-key.pem'));
  mkdirSync(at('new'));
  copyFileSync(at('ca', 'ca-key.pem'), at('new', 'ca-key.pem'));
  expect((await make({}, 'new')).authority.made).toBe(true);
  expect(readFileSync(at('new', 'ca-key.pem'))).toEqual(key);
  expect(isSignedBy([read('new', 'core-01', 'cert.pem')], [read('new', 'ca.pem')])).toBe(true);
});

test('signs no longer than the CA lives, and not with one out of its time', async () => {
  await make({ days: 36_500 });
  expect(read('ca', 'core-01', 'cert.pem').validTo).toBe(read('ca', 'ca.pem').validTo);
  await expect(make({ nowMs: NOW_MS + 3700 * DAY_MS })).rejects.toThrow('the CA expired on 2041-');
  await expect(make({ nowMs: NOW_MS - DAY_MS })).rejects.toThrow('the CA is valid from 2031-05-02 only');
});

test('reports a CA whose key others can read', async () => {
  expect((await make()).authority.keyIsOpen).toBe(false);
  chmodSync(at('ca', 'ca-key.pem'), 0o644);
  expect((await make()).authority.keyIsOpen).toBe(true);
});

test('refuses nodes that share a folder, and folders that cannot be written', async () => {
  await expect(make({ hosts: ['a', 'a,b'] })).rejects.toThrow('two nodes are called "a"');
  await expect(make({ hosts: ['client'] })).rejects.toThrow('no node can be called "client"');
  expect(existsSync(at('ca'))).toBe(false);
  writeFileSync(at('file'), '');
  await expect(make({ caFolder: at('file', 'ca') })).rejects.toThrow('cannot write');
  await expect(make({ outFolder: at('file') })).rejects.toThrow('cannot write');
});
