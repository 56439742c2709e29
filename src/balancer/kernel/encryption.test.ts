import { expect, it } from 'vitest';
import { canEncrypt } from './encryption.ts';
import type { Command } from './commands.ts';

it.each<[string, number, string, boolean | undefined]>([
  ['takes it', 0, '', true],
  ['has no ESP', 2, 'Error: Requested type not found.', false],
  ['has not the cipher', 2, 'Error: Requested AEAD algorithm not found.', false],
  ['has no IPsec', 2, 'RTNETLINK answers: Protocol not supported', false],
  ['may not be asked', 1, 'unshare: unshare failed: Operation not permitted', undefined],
  ['can not be asked', 127, 'unshare: failed to execute ip: No such file or directory', undefined],
  ['does not answer', 124, 'unshare did not end within 5000 ms', undefined],
])('tells of a kernel that %s', async (_, code, stderr, expected) => {
  const asked: Command[] = [];
  const run = (command: Command) => {
    asked.push(command);
    return Promise.resolve({ code, stdout: '', stderr });
  };
  expect(await canEncrypt({ run })).toBe(expected);
  expect(asked.map(({ program, args }) => [program, args[0]])).toEqual([['unshare', '--net']]);
});
