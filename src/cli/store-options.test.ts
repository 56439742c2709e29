import { expect, test } from 'vitest';
import { unusedOptions } from './store-options.ts';

test.each([
  ['etcd', 'a', ['kv.path=x', 'kv.certfile=c', 'etcd.api=2'], []],
  ['consul', 'a', ['kv.path=x', 'etcd.api=2'], ['--discovery-opt etcd.api: not used by consul:// discovery']],
  ['zk', 'a', ['kv.path=x', 'token.url=u'], ['--discovery-opt token.url: not used by zk:// discovery']],
  ['token', 'T', ['token.url=u', 'kv.keyfile=k'], []],
  ['token', 'host/T', ['token.url=u'], ['--discovery-opt token.url: not used by token:// discovery']],
  [
    'nodes',
    'a',
    ['kv.path=x', 'etcd.api=3'],
    ['--discovery-opt kv.path, etcd.api: not used by nodes:// discovery'],
  ],
  ['file', '/a', [], []],
] as const)('%s://%s with %j', (scheme, rest, options, sentences) => {
  expect(unusedOptions(options, { scheme, rest })).toEqual(sentences);
});
