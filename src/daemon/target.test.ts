import { expect, test } from 'vitest';
import { readTarget, withoutSelf } from './target.ts';

test.each([
  ['/v1.41/nodes/self/update?version=7', '/v1.41/nodes/own/update?version=7'],
  ['/nodes/self', '/nodes/own'],
  ['/v1%2E41/nodes/self', '/v1.41/nodes/own'],
  ['/nodes/selfish', '/nodes/selfish'],
  ['/v1.41/services/self/logs?stdout=1', '/v1.41/services/self/logs?stdout=1'],
  ['/swarm/network-doctor?service=a%26b&node=self', '/swarm/network-doctor?service=a%26b&node=own'],
  ['/services/a%20b', '/services/a%20b'],
  ['/services/a%3Fb', '/services/a%3Fb'],
])('for another manager %s is %s', (url, wanted) => {
  expect(withoutSelf(readTarget(url), 'own')).toBe(wanted);
});
