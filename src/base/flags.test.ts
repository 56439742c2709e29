import { expect, test } from 'vitest';
import { parseFlags, type FlagSpec, type ParseResult } from './flags.ts';

const specs: readonly FlagSpec[] = [
  { names: ['tls'], kind: 'bool', usage: '' },
  { names: ['debug'], kind: 'bool', usage: '', env: 'DEBUG' },
  { names: ['host', 'H'], kind: 'list', usage: '', env: 'SWARM_HOST' },
  { names: ['advertise', 'addr'], kind: 'string', usage: '', env: 'SWARM_ADVERTISE' },
  { names: ['retry'], kind: 'int', default: '3', usage: '' },
];

const parse = (args: string[], env: NodeJS.ProcessEnv = {}, mixed = true): ParseResult =>
  parseFlags(specs, args, {
    env,
    mixed,
    hint: (name) => (name === 'elsewhere' ? ' (try the other)' : ''),
  });

function parsed(args: string[], env?: NodeJS.ProcessEnv) {
  const result = parse(args, env);
  if (result.kind === 'wrong') throw new Error(result.message);
  return result;
}

test.each([
  [['-H', ':1']],
  [['--H', ':1']],
  [['-host', ':1']],
  [['--host=:1']],
  [['-H=:1']],
  [['--host', ':1']],
])('%j gives a host', (args) => {
  expect(parsed(args).values.list('host')).toEqual([':1']);
});

test('takes flags before, between and after arguments; two dashes end them', () => {
  const { values, rest } = parsed(['-H', ':1', 'a', '--tls', '-H=:2', '--', '--debug', 'b']);
  expect(values.list('host')).toEqual([':1', ':2']);
  expect(values.bool('tls')).toBe(true);
  expect(values.bool('debug')).toBe(false);
  expect(rest).toEqual(['a', '--debug', 'b']);
});

test('stops at the first argument where flags behind it belong to a command', () => {
  const result = parse(['--tls', 'manage', '--other'], {}, false);
  expect(result).toMatchObject({ kind: 'parsed', rest: ['manage', '--other'] });
});

test('a bool takes its value only by the equals sign', () => {
  const { values, rest } = parsed(['--tls', 'false']);
  expect(values.bool('tls')).toBe(true);
  expect(rest).toEqual(['false']);
  expect(parsed(['--tls=false']).values.bool('tls')).toBe(false);
  expect(parsed(['--tls=T']).values.bool('tls')).toBe(true);
});

test('a value may begin with a dash, be empty, and hold equals signs', () => {
  expect(parsed(['--retry', '-1']).values.text('retry')).toBe('-1');
  expect(parsed(['--addr=']).values.text('advertise')).toBe('');
  expect(parsed(['--addr=a=b']).values.text('advertise')).toBe('a=b');
  expect(parsed(['-']).rest).toEqual(['-']);
});

test('defaults, variables and flags, the later ones winning', () => {
  expect(parsed([]).values.text('retry')).toBe('3');
  expect(parsed([]).values.list('host')).toEqual([]);
  const env = { SWARM_HOST: ':1, :2', SWARM_ADVERTISE: 'a:1', DEBUG: '1' };
  expect(parsed([], env).values.list('host')).toEqual([':1', ':2']);
  expect(parsed([], env).values.bool('debug')).toBe(true);
  expect(parsed([], env).values.isSet('advertise')).toBe(true);
  expect(parsed(['-H', ':3', '--addr', 'b:1', '--debug=0'], env).values.list('host')).toEqual([':3']);
  expect(parsed(['--addr', 'b:1'], env).values.text('advertise')).toBe('b:1');
  expect(parsed(['--debug=0'], env).values.bool('debug')).toBe(false);
  expect(parsed([], { DEBUG: 'express:*', SWARM_HOST: '' }).values.bool('debug')).toBe(false);
  expect(parsed([], { SWARM_HOST: '' }).values.isSet('host')).toBe(false);
});

test.each([
  [['--foo'], 'flag provided but not defined: -foo'],
  [['-foo=1'], 'flag provided but not defined: -foo'],
  [['--elsewhere'], 'flag provided but not defined: -elsewhere (try the other)'],
  [['---tls'], 'bad flag syntax: ---tls'],
  [['--=1'], 'bad flag syntax: --=1'],
  [['-H'], 'flag needs an argument: -H'],
  [['--tls=maybe'], 'invalid boolean value "maybe" for -tls'],
  [['--retry', 'x'], 'invalid value "x" for flag -retry'],
  [['--retry=1.5'], 'invalid value "1.5" for flag -retry'],
  [['--addr', 'a', '--advertise', 'b'], 'Cannot use two forms of the same flag: advertise addr'],
  [['--constructor'], 'flag provided but not defined: -constructor'],
])('refuses %j', (args, message) => {
  expect(parse(args)).toMatchObject({ kind: 'wrong', message: expect.stringContaining(message) as string });
});
