import { expect, test } from 'vitest';
import { ENDED_LATE, NOT_STARTED, SYSTEM_COMMANDS } from './commands.ts';

const own = { netns: '' };

test('a program reads its input, and its exit and words are told', async () => {
  const script = 'read line; echo "got $line"; echo no >&2; exit 3';
  const result = await SYSTEM_COMMANDS.run({
    ...{ ...own, program: 'sh', args: ['-c', script], input: 'it\n' },
  });
  expect(result).toEqual({ code: 3, stdout: 'got it\n', stderr: 'no\n' });
});

test('one that is not there is told as such', async () => {
  const result = await SYSTEM_COMMANDS.run({ ...own, program: 'skep-has-no-such', args: [] });
  expect(result.code).toBe(NOT_STARTED);
  expect(result.stderr).toContain('skep-has-no-such');
});

test('one that hangs is ended', async () => {
  const result = await SYSTEM_COMMANDS.run({ ...own, program: 'sleep', args: ['600'], limitMs: 100 });
  expect(result).toEqual({ code: ENDED_LATE, stdout: '', stderr: 'sleep did not end within 100 ms' });
});

test('one that leaves its input unread, or writes a lot, does no harm', async () => {
  const input = 'x'.repeat(1 << 20);
  expect((await SYSTEM_COMMANDS.run({ ...own, program: 'true', args: [], input })).code).toBe(0);
  const loud = await SYSTEM_COMMANDS.run({ ...own, program: 'head', args: ['-c', '20000000', '/dev/zero'] });
  expect(loud.code).toBe(0);
  expect(loud.stdout.length).toBeLessThan(10 << 20);
});
