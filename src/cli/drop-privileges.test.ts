import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { dropPrivileges, pathsOf, type Identity } from './drop-privileges.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-user-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A process that notes who it was asked to become. */
function fakeProcess(uid: number, failure?: Error): { identity: Identity; asked: string[] } {
  const asked: string[] = [];
  const note = (what: string) => (who: unknown) => {
    if (failure) throw failure;
    asked.push(`${what} ${String(who)}`);
  };
  const identity = {
    getuid: () => uid,
    setgroups: note('groups'),
    setgid: note('gid'),
    setuid: note('uid'),
  };
  return { identity, asked };
}

function dropAs(uid: number, user: string | undefined, needs = {}): { asked: string[]; log: string } {
  let text = '';
  const log = createLog('info', { write: (line) => (text += line) });
  const { identity, asked } = fakeProcess(uid);
  dropPrivileges(log, needs, user === undefined ? {} : { SWARM_USER: user }, identity);
  return { asked, log: text };
}

test('root becomes the user it is told, groups first', () => {
  expect(dropAs(0, '65534').asked).toEqual(['groups 65534', 'gid 65534', 'uid 65534']);
  expect(dropAs(0, '100:200').asked).toEqual(['groups 200', 'gid 200', 'uid 100']);
});

test('nothing happens to others than root, without SWARM_USER, and where it names root', () => {
  for (const [uid, user] of [
    [0, undefined],
    [0, ''],
    [0, '0'],
    [1000, '65534'],
  ] as const)
    expect(dropAs(uid, user)).toEqual({ asked: [], log: '' });
});

test('a user that is no number is a wrong input', () => {
  expect(() => dropAs(0, 'nobody')).toThrow('SWARM_USER is uid or uid:gid in numbers, not "nobody"');
});

test('root that may not change its user is told the ways out', () => {
  const { identity } = fakeProcess(0, new Error('EPERM, Operation not permitted'));
  const drop = (): void => dropPrivileges(createLog('info'), {}, { SWARM_USER: '1' }, identity);
  expect(drop).toThrow(/cannot become user 1 .*EPERM.*SETUID and SETGID.*SWARM_USER=0/);
});

test('the group of a socket that is dialled later is kept', async () => {
  const path = join(folder, 'engine.sock');
  const server = createServer().listen(path);
  await new Promise((done) => server.once('listening', done));
  chmodSync(path, 0o660);
  const { gid } = statSync(path);
  expect(dropAs(0, '65534', { used: [path, join(folder, 'missing')] }).asked[0]).toBe(`groups 65534,${gid}`);
  chmodSync(path, 0o600);
  expect(dropAs(0, '65534', { used: [path] }).asked[0]).toBe('groups 65534');
  server.close();
});

test('what is written to becomes the user’s', () => {
  const file = join(folder, 'tokens.db');
  writeFileSync(file, '');
  chmodSync(folder, 0o700);
  // Only root can give something away.
  const user = process.getuid?.() === 0 ? '1234:5678' : `${process.getuid?.()}:${process.getgid?.()}`;
  dropAs(0, user, { owned: [folder] });
  expect([statSync(folder), statSync(file)].map(({ uid, gid }) => `${uid}:${gid}`)).toEqual([user, user]);
});

test('a list that is read again and the engines’ sockets are what a manager opens later', () => {
  const list = join(folder, 'nodes');
  writeFileSync(list, '10.0.0.1:2375\nunix:///run/engine.sock # here\n');
  expect(pathsOf({ scheme: 'file', rest: list })).toEqual([list, '/run/engine.sock']);
  expect(pathsOf({ scheme: 'file', rest: join(folder, 'none') })).toEqual([]);
  expect(pathsOf({ scheme: 'nodes', rest: 'a:2375,unix:///var/run/docker.sock' })).toEqual([
    '/var/run/docker.sock',
  ]);
  expect(pathsOf({ scheme: 'etcd', rest: 'a/unix:///x' })).toEqual([]);
});
