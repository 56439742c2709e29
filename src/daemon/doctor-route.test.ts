import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDaemon, type TestDaemon } from './testing/daemon.ts';

let daemon: TestDaemon;
beforeEach(async () => {
  daemon = await startDaemon();
});
afterEach(() => daemon[Symbol.asyncDispose]());

const examine = (query = '') => daemon.call('GET', `/swarm/network-doctor${query}`);
const init = () =>
  daemon.call('POST', '/swarm/init', { AdvertiseAddr: '127.0.0.1', ListenAddr: '127.0.0.1' });

test('who manages no swarm says so', async () => {
  const { status, message } = await examine();
  expect(status).toBe(503);
  expect(message).toMatch(/^This node is not a swarm manager\. Use "docker swarm init"/);
  expect(daemon.engine.asked.filter((one) => one.includes('doctor'))).toEqual([]);
});

test('a manager examines its nodes, with and without a version in the path', async () => {
  await init();
  const nodeId = daemon.life.swarm?.local.nodeId;
  const nodes = [{ ID: nodeId, State: 'unknown', Balancer: 'unknown' }];
  expect(await examine()).toMatchObject({ status: 200, value: { Service: null, Nodes: nodes } });
  expect(await daemon.call('GET', '/v1.41/swarm/network-doctor?node=self')).toMatchObject({
    status: 200,
    value: { Nodes: nodes },
  });
});

test('what is not there is not found, in Docker’s words', async () => {
  await init();
  expect(await examine('?service=web')).toMatchObject({ status: 404, message: 'service web not found' });
  expect(await examine('?node=there')).toMatchObject({ status: 404, message: 'node there not found' });
  expect(await examine('?service=__proto__')).toMatchObject({ status: 404 });
});

test('a service by its name', async () => {
  await init();
  const spec = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'nginx' } } };
  const created = await daemon.call('POST', '/services/create', spec);
  expect(created.status).toBe(201);
  const { value } = await examine('?service=web');
  expect(value).toMatchObject({
    Service: { Name: 'web', EndpointMode: 'vip', VirtualIPs: [], Ports: [], Tasks: [] },
    Findings: [{ Verdict: 'ok', Subject: 'addresses' }],
    Nodes: [],
  });
});
