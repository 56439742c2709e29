import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Registrations } from './registrations.ts';

const [A, B] = ['a'.repeat(32), 'b'.repeat(32)];
let folder = '';
let now = 0;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'registrations-')), 'state');
  now = 1000;
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

const open = (more = {}): Registrations => new Registrations({ folder, nowMs: () => now, ...more });

test('lists what is registered, in order, until its time is over', () => {
  using registrations = open();
  expect(registrations.list(A)).toEqual([]);
  registrations.register(A, 'b:1', 1000);
  registrations.register(A, 'a:1', 2000);
  registrations.register(B, 'c:1', 1000);
  expect(registrations.list(A)).toEqual(['a:1', 'b:1']);
  now += 999;
  expect(registrations.list(A)).toEqual(['a:1', 'b:1']);
  now += 1;
  expect(registrations.list(A)).toEqual(['a:1']);
  registrations.register(A, 'a:1', 5000);
  now += 4999;
  expect(registrations.list(A)).toEqual(['a:1']);
  expect(registrations.list(B)).toEqual([]);
  registrations.forget(A);
  expect(registrations.list(A)).toEqual([]);
});

test('who was registered when the service went down is so for its whole time again', () => {
  let id = '';
  {
    using registrations = open();
    id = registrations.dataId;
    registrations.register(A, 'short:1', 1000);
    now += 1500;
    registrations.register(A, 'a:1', 3000);
    registrations.register(A, 'b:1', 60_000);
  }
  now = 5; // another machine, or the same one after a restart
  using registrations = open();
  expect(registrations.dataId).toBe(id);
  expect(registrations.list(A)).toEqual(['a:1', 'b:1']);
  now += 2999;
  expect(registrations.list(A)).toEqual(['a:1', 'b:1']);
  now += 1;
  expect(registrations.list(A)).toEqual(['b:1']);
});

test('other data have another id', () => {
  const ids = [1, 2].map(() => {
    using registrations = open();
    rmSync(folder, { recursive: true });
    return registrations.dataId;
  });
  expect(ids[0]).not.toBe(ids[1]);
});

test('bounds hold, also after a sweep and a restart', () => {
  const bounds = { maxPerToken: 2, maxInAll: 3 };
  {
    using registrations = open(bounds);
    registrations.register(A, 'a:1', 1000);
    registrations.register(A, 'b:1', 9000);
    expect(() => registrations.register(A, 'c:1', 9000)).toThrow('2 engines at most');
    registrations.register(A, 'a:1', 1000);
    registrations.register(B, 'a:1', 9000);
    expect(() => registrations.register(B, 'b:1', 9000)).toThrow('3 registrations at most');
    now += 1000;
    registrations.register(A, 'c:1', 9000);
    expect(registrations.list(A)).toEqual(['b:1', 'c:1']);
  }
  using registrations = open(bounds);
  expect(() => registrations.register(B, 'b:1', 9000)).toThrow('3 registrations at most');
  registrations.forget(A);
  registrations.register(B, 'b:1', 9000);
  expect(registrations.list(B)).toEqual(['a:1', 'b:1']);
});

test('a sweep removes what has run out, a part at a time', () => {
  using registrations = open();
  for (let i = 0; i < 501; i += 1) registrations.register(A, `a-${i}:1`, 1000);
  registrations.register(A, 'b:1', 2000);
  now += 1000;
  expect(registrations.sweep()).toBe(true);
  expect(registrations.sweep()).toBe(false);
  expect(registrations.list(A)).toEqual(['b:1']);
});

test('only its owner may read the files', () => {
  using registrations = open();
  registrations.register(A, 'a:1', 1000);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(registrations.path).mode & 0o777).toBe(0o600);
  expect(statSync(`${registrations.path}-wal`).mode & 0o777).toBe(0o600);
});

test('two services do not share a folder', () => {
  using registrations = open();
  expect(() => open()).toThrow(`'${registrations.path}': another process uses it`);
});

test('a file that is no database is named', () => {
  open()[Symbol.dispose]();
  writeFileSync(join(folder, 'discovery.db'), 'hello\n'.repeat(1000));
  expect(() => open()).toThrow('file is not a database; move it away');
});
