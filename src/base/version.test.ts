import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BUILD_TIME, checkoutCommit, COMMIT, VERSION } from './version.ts';

const sha = '0123456789abcdef0123456789abcdef01234567';
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'version-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

test('knows itself', () => {
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  expect(COMMIT).toMatch(/^([0-9a-f]{7}|release)$/);
  expect(new Date(BUILD_TIME).toISOString()).toBe(BUILD_TIME);
});

test.each<[string, Record<string, string>, string | undefined]>([
  ['no checkout', {}, undefined],
  ['a branch', { '.git/HEAD': 'ref: refs/heads/main\n', '.git/refs/heads/main': `${sha}\n` }, sha],
  [
    'a packed branch',
    { '.git/HEAD': 'ref: refs/heads/main\n', '.git/packed-refs': `# pack\n${sha} refs/heads/main\n` },
    sha,
  ],
  ['no branch', { '.git/HEAD': `${sha}\n` }, sha],
  ['a branch without a commit', { '.git/HEAD': 'ref: refs/heads/main\n' }, undefined],
  ['garbage', { '.git/HEAD': 'hello\n' }, undefined],
  [
    'a worktree',
    {
      '.git': 'gitdir: main/worktrees/w\n',
      'main/worktrees/w/HEAD': 'ref: refs/heads/w\n',
      'main/worktrees/w/commondir': '../..\n',
      'main/refs/heads/w': `${sha}\n`,
    },
    sha,
  ],
])('reads the commit of %s', (_, files, commit) => {
  put(files);
  expect(checkoutCommit(folder)).toBe(commit);
});
