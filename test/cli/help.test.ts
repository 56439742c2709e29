import { expect, test } from 'vitest';
import { runHere } from './in-process.ts';
import { run } from './swarm-process.ts';

/** The version changes with every release and commit; the layout must not. */
const masked = (text: string): string => text.replace(/^Version: .*$/m, 'Version: X (commit)');

test.each([
  ['help', [['--help'], ['-h'], ['-help'], ['help'], ['h'], []]],
  [
    'help-manage',
    [
      ['help', 'manage'],
      ['h', 'm'],
      ['manage', '--help'],
      ['m', '-h'],
      ['manage', '-H', ':1', 'a', '-h'],
    ],
  ],
  [
    'help-list',
    [
      ['help', 'list'],
      ['l', '--help'],
    ],
  ],
  [
    'help-join',
    [
      ['help', 'join'],
      ['j', '-h'],
    ],
  ],
  [
    'help-create',
    [
      ['help', 'create'],
      ['c', '-h'],
    ],
  ],
  [
    'help-certs',
    [
      ['help', 'certs'],
      ['certs', '--help'],
    ],
  ],
  ['help-discovery', [['discovery', '--help']]],
  ['help-network', [['help', 'network'], ['network', '--help'], ['network']]],
  [
    'help-network-doctor',
    [
      ['help', 'network', 'doctor'],
      ['network', 'doctor', '--help'],
      ['network', 'doctor', 'web', '-h'],
    ],
  ],
  ['help-health', [['help', 'health']]],
  [
    'help-help',
    [
      ['help', 'help'],
      ['help', '--help'],
    ],
  ],
])('%s', async (name, ways) => {
  // One of them as a process; the others would say the same at its cost.
  const ask = name === 'help' ? run : runHere;
  const first = await ask(ways[0] ?? []);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  await expect(masked(first?.stdout ?? '')).toMatchFileSnapshot(`${name}.golden`);
  for (const other of ways.slice(1)) expect(await runHere(other)).toEqual(first);
});

test.each([['--version'], ['-v'], ['-version']])('%s', async (flag) => {
  expect(await runHere([flag])).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^swarm version \d+\.\d+\.\d+\S* \(([0-9a-f]{7}|release)\)\n$/) as string,
    stderr: '',
  });
});
