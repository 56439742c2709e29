import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, type Answer } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 5 });
  swarm = await startSwarm(hosts);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

afterEach(async () => {
  await Promise.all(
    [...hosts].map(async (host) => {
      const ids = (await host.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
      if (ids.length > 0) await host.docker('rm', '-f', ...ids);
    }),
  );
});

/** Sends all of them at once. */
function createAll(requests: readonly { name?: string; body: object }[]): Promise<Answer[]> {
  return Promise.all(
    requests.map(({ name, body }) =>
      call(swarm.url, 'POST', `/containers/create${name === undefined ? '' : `?name=${name}`}`, { body }),
    ),
  );
}

async function counts(): Promise<number[]> {
  return Promise.all(
    [...hosts].map(
      async (host) => (await host.docker('ps', '-aq')).split('\n').filter((id) => id !== '').length,
    ),
  );
}

describe('at the same time', () => {
  it('200 of one port on five engines are five', async () => {
    const body = { Image: 'nginx', HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } };
    const answers = await createAll(Array.from({ length: 200 }, () => ({ body })));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(5);
    const refused = answers.filter((answer) => answer.status !== 201);
    expect(refused).toHaveLength(195);
    for (const { status, message } of refused) {
      expect(status).toBe(500);
      expect(message).toContain('Unable to find a node that satisfies the following conditions');
      expect(message).toContain('port 80');
    }
    expect(await counts()).toEqual([1, 1, 1, 1, 1]);
    const starts = await Promise.all(
      answers
        .filter((answer) => answer.status === 201)
        .map((answer) => call(swarm.url, 'POST', `/containers/${answer.json<{ Id: string }>().Id}/start`)),
    );
    expect(starts.map((answer) => answer.status)).toEqual([204, 204, 204, 204, 204]);
  });

  it('50 of one name are one', async () => {
    const body = { Image: 'busybox', Cmd: ['true'] };
    const answers = await createAll(Array.from({ length: 50 }, () => ({ name: 'only', body })));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    const refused = answers.filter((answer) => answer.status === 409);
    expect(refused).toHaveLength(49);
    for (const { message } of refused) expect(message).toContain('The name only is already assigned');
    expect((await counts()).reduce((a, b) => a + b)).toBe(1);
    const others = await createAll(Array.from({ length: 10 }, (_, at) => ({ name: `n${at}`, body })));
    expect(others.map((answer) => answer.status)).toEqual(others.map(() => 201));
    const renames = await Promise.all(
      others.map((_, at) => call(swarm.url, 'POST', `/containers/n${at}/rename?name=wanted`)),
    );
    expect(renames.filter((answer) => answer.status === 204)).toHaveLength(1);
    expect(renames.filter((answer) => answer.status === 409)).toHaveLength(9);
  });

  it('100 that reserve memory and cores never take more than a node has', async () => {
    const { MemTotal } = (await call(`http://${hosts.at(0).address}`, 'GET', '/info')).json<{
      MemTotal: number;
    }>();
    const share = Math.floor(MemTotal / 4);
    const body = { Image: 'busybox', HostConfig: { Memory: share } };
    const answers = await createAll(Array.from({ length: 100 }, () => ({ body })));
    // A quarter of each node's memory, and a twentieth more than it has: four a node.
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(20);
    expect(await counts()).toEqual([4, 4, 4, 4, 4]);
    const refused = answers.find((answer) => answer.status !== 201);
    expect(refused?.message).toContain('no resources available to schedule container');
    const cores = await createAll(
      Array.from({ length: 30 }, () => ({ body: { Image: 'busybox', HostConfig: { CpuShares: 1 } } })),
    );
    const { NCPU } = (await call(`http://${hosts.at(0).address}`, 'GET', '/info')).json<{ NCPU: number }>();
    const fit = Math.min(30, 5 * Math.floor(NCPU * 1.05));
    expect(cores.filter((answer) => answer.status === 201)).toHaveLength(fit);
  });

  it('makes, starts, lists and removes, many over', async () => {
    const one = async (at: number): Promise<void> => {
      const name = `churn-${at}`;
      const body = { Image: 'busybox', Cmd: ['sleep', '1000'] };
      const made = await call(swarm.url, 'POST', `/containers/create?name=${name}`, { body });
      expect(made.status).toBe(201);
      expect((await call(swarm.url, 'POST', `/containers/${name}/start`)).status).toBe(204);
      const list = await call(swarm.url, 'GET', '/containers/json');
      expect(list.text).toContain(`/${name}"`);
      expect((await call(swarm.url, 'DELETE', `/containers/${name}?force=1`)).status).toBe(204);
      const after = await call(swarm.url, 'GET', '/containers/json?all=1');
      expect(after.text).not.toContain(`/${name}"`);
      expect((await call(swarm.url, 'GET', `/containers/${name}/json`)).status).toBe(404);
    };
    await Promise.all(Array.from({ length: 20 }, (_, at) => one(at)));
    expect(await counts()).toEqual([0, 0, 0, 0, 0]);
  });
});
