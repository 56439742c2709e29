import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, startHosts, until, type Hosts } from '../hosts/index.ts';
import { call, type Answer } from '../virtual-host/raw.ts';
import { DOCKER_PY } from './api/docker-py.ts';
import {
  configShape,
  infoShape,
  nodeShape,
  secretShape,
  serviceShape,
  swarmShape,
  taskShape,
} from './api/shapes.ts';
import { refusedByManager, refusedWithoutSwarm, type Refused } from './api/wrong-input.ts';
import { Swarmd } from './swarmd.ts';

/** The routes of swarm mode as clients other than Docker's own call them. */
const PORT = 2399;
let hosts: Hosts;
let swarmd: Swarmd;
let base = '';
let docker: Docker;

beforeAll(async () => {
  hosts = await startHosts({ count: 1, dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' } });
  const { ip } = hosts.at(0);
  base = `http://${ip}:${PORT}`;
  docker = new Docker({ host: ip, port: PORT });
  swarmd = await new Swarmd(hosts.at(0), { args: ['-H', `tcp://${ip}:${PORT}`, '--tls=false'] }).start();
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

function ask(line: string, body?: unknown): Promise<Answer> {
  const [method = '', path = ''] = line.split(' ');
  return call(base, method, path, body === undefined ? {} : { body: body as string | object });
}

/** All that were not refused as they should: what was asked, the status, the words. */
async function notRefused(list: readonly Refused[], version = 0): Promise<unknown[]> {
  const wrong: unknown[] = [];
  for (const { ask: line, body, status, words } of list) {
    const answer = await ask(line.replace('VERSION', `${version}`), body);
    const isSame = answer.status === status && words.test(answer.message);
    const isJson = answer.headers['content-type'] === 'application/json';
    if (!isSame || !isJson)
      wrong.push([line, JSON.stringify(body)?.slice(0, 200), answer.status, answer.text]);
  }
  return wrong;
}

const there = {
  Name: 'there',
  TaskTemplate: { ContainerSpec: { Image: 'busybox', Command: ['sleep', '1000'] } },
};

test('a host in no swarm refuses what needs one, and wrong input', async () => {
  expect(await notRefused(refusedWithoutSwarm(hosts.at(0).ip))).toEqual([]);
});

test('dockerode makes a swarm, and whatever a swarm has', async () => {
  const address = hosts.at(0).ip;
  const nodeId: unknown = await docker.swarmInit({ ListenAddr: '0.0.0.0:2377', AdvertiseAddr: address });
  expect(nodeId).toMatch(/^[0-9a-z]{25}$/);
  expect(await docker.swarmInspect()).toEqual(swarmShape);
  expect(((await docker.info()) as { Swarm: unknown }).Swarm).toEqual(infoShape);
  await until('the node is ready', 20_000, async () => {
    const [node] = (await docker.listNodes()) as { Status: { State: string } }[];
    return node?.Status.State === 'ready' || undefined;
  });
  expect(await docker.listNodes()).toEqual([nodeShape]);
  expect(await docker.getNode('self').inspect()).toEqual(nodeShape);

  const data = Buffer.from('x').toString('base64');
  const secret = (await docker.createSecret({ Name: 'secret', Labels: {}, Data: data })) as Docker.Secret;
  expect(await docker.listSecrets()).toEqual([secretShape]);
  const config = (await docker.createConfig({ Name: 'config', Labels: {}, Data: data })) as Docker.Config;
  expect(await docker.listConfigs()).toEqual([configShape]);
  expect(await config.inspect()).toEqual(configShape);

  const made = await docker.createService(there);
  const service = docker.getService(made.id);
  expect(await service.inspect()).toEqual(serviceShape);
  const tasks = await until('its task runs', 30_000, async () => {
    const list = (await docker.listTasks()) as { ID: string; Status: { State: string } }[];
    return list[0]?.Status.State === 'running' ? list : undefined;
  });
  expect(tasks).toEqual([taskShape]);
  expect(await docker.getTask(tasks[0]?.ID ?? '').inspect()).toEqual(taskShape);
  await secret.remove();
  await config.remove();
});

test('a manager refuses wrong input on every route', async () => {
  const service = (await ask('GET /services/there')).json<{ Version: { Index: number } }>();
  const swarm = (await ask('GET /swarm')).json<{ Version: { Index: number } }>();
  expect(await notRefused(refusedByManager(), service.Version.Index)).toEqual([]);
  // Nothing of it was done.
  expect((await ask('GET /services')).json<unknown[]>()).toHaveLength(1);
  expect((await ask('GET /secrets')).json()).toEqual([]);
  expect((await ask('GET /services/there')).json()).toMatchObject({ Version: service.Version });
  expect((await ask('GET /swarm')).json()).toMatchObject({ Version: swarm.Version });
});

test('versions of the API are checked as the engine would', async () => {
  expect((await ask('GET /v1.99/services')).message).toMatch(/client version 1.99 is too new/);
  expect((await ask('GET /v1.29/services')).message).toMatch(/client version 1.29 is too old/);
  expect((await ask('GET /v1.30/services')).status).toBe(200);
  expect((await ask('GET /_ping')).headers).toMatchObject({ 'api-version': '1.41', swarm: 'active/manager' });
});

test('dockerode updates and removes a service', async () => {
  const service = docker.getService('there');
  const before = (await service.inspect()) as { Version: { Index: number }; Spec: object };
  const version = before.Version.Index;
  await service.update({ version, ...before.Spec, Labels: { a: 'b' } });
  expect(await service.inspect()).toMatchObject({
    Spec: { Labels: { a: 'b' } },
    PreviousSpec: { Name: 'there' },
  });
  await expect(service.update({ version, ...before.Spec })).rejects.toMatchObject({ statusCode: 500 });
  await service.remove();
  await expect(service.inspect()).rejects.toMatchObject({ statusCode: 404 });
});

describe('docker-py', () => {
  test('finds a swarm as Docker’s', async () => {
    expect(
      await run('python3', ['-c', DOCKER_PY], { env: { DOCKER_HOST: `tcp://${hosts.at(0).ip}:${PORT}` } }),
    ).toBe('done');
  });
});

test('the swarm can be left and made again at once', async () => {
  expect((await ask('POST /swarm/leave?force=1')).status).toBe(200);
  expect((await ask('GET /swarm')).status).toBe(503);
  expect(
    (await ask('POST /swarm/init', { ListenAddr: '0.0.0.0:2377', AdvertiseAddr: hosts.at(0).ip })).status,
  ).toBe(200);
  expect((await ask('GET /services')).json()).toEqual([]);
});
