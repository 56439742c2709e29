import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { SYSTEM_TIMES } from '../base/clock.ts';
import { untilGossip } from './gossip.ts';

const local = (listen: string, advertise: string) => ({
  nodeId: 'n',
  listen: { host: listen, port: 2377 },
  advertise: { host: advertise, port: 2377 },
  dataPath: '',
});

test('it waits for the engine at the address that others come to, and not for ever', async () => {
  // Loopback addresses of this process's own, where nothing else listens.
  const own = `127.${20 + (process.pid % 200)}.7`;
  const gossip = createServer();
  const waiting = untilGossip(local('0.0.0.0', `${own}.1`), SYSTEM_TIMES);
  gossip.listen(7946, `${own}.1`);
  await waiting;
  const connections = once(gossip, 'connection');
  await untilGossip(local(`${own}.1`, `${own}.2`), SYSTEM_TIMES);
  await connections;
  gossip.close();
  const started = performance.now();
  await untilGossip(local('0.0.0.0', `${own}.2`), SYSTEM_TIMES);
  expect(performance.now() - started).toBeGreaterThan(1_000);
});
