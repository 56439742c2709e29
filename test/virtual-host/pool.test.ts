import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.ts';
import { startSwarm, type Swarm } from './manager.ts';

const QUICK = [
  '--engine-refresh-min-interval=1s',
  '--engine-refresh-max-interval=2s',
  '--engine-failure-retry=2',
];
const PATIENCE_MS = 40_000;

interface NodeStatus {
  name: string;
  address: string;
  lines: Record<string, string>;
}

/** The nodes as `docker info` shows them. */
async function nodesOf(swarm: Swarm): Promise<NodeStatus[]> {
  const info = (await (await fetch(`${swarm.url}/info`)).json()) as { SystemStatus: [string, string][] };
  const nodes: NodeStatus[] = [];
  for (const [key, value] of info.SystemStatus) {
    const line = /^ {2}└ (.+)$/.exec(key)?.[1];
    if (line !== undefined) (nodes.at(-1)?.lines ?? {})[line] = value;
    else if (key.startsWith(' ')) nodes.push({ name: key.trim(), address: value, lines: {} });
  }
  return nodes;
}

async function untilStatus(swarm: Swarm, address: string, status: string): Promise<NodeStatus> {
  return until(`${address} to be ${status}`, PATIENCE_MS, async () => {
    return (await nodesOf(swarm)).find((node) => node.address === address && node.lines['Status'] === status);
  });
}

async function fakeEngine(index: number, options?: FakeEngineOptions): Promise<FakeEngine> {
  const engine = new FakeEngine(index, options);
  await engine.start();
  return engine;
}

async function names(swarm: Swarm, all = true): Promise<string[]> {
  const list = (await (await fetch(`${swarm.url}/containers/json${all ? '?all=1' : ''}`)).json()) as {
    Names: string[];
  }[];
  return list.flatMap((entry) => entry.Names).sort();
}

describe('faults of engines', () => {
  it('keeps an engine Pending whose ID another one has, and says so', async () => {
    const engines = [await fakeEngine(1, { id: 'SAME' }), await fakeEngine(2, { id: 'SAME' })];
    const discovery = engines.map((engine) => engine.address).join(',');
    await using swarm = await startSwarm(undefined, { discovery, healthy: 1, args: QUICK });
    const pending = await until('the other one to be refused', PATIENCE_MS, async () =>
      (await nodesOf(swarm)).find(
        (node) => node.lines['Status'] === 'Pending' && node.lines['Error'] !== '(none)',
      ),
    );
    expect(pending.name).toBe('(unknown)');
    expect(pending.lines['Error']).toMatch(
      /^ID duplicated\. SAME shared by this node 127\.0\.0\.1:\d+ and another node 127/,
    );
    for (const engine of engines) await engine.stop();
  });

  it('does not let one engine that hangs delay the others', async () => {
    const good = await fakeEngine(1, { containers: 3 });
    const hanging = await fakeEngine(2, { intercept: () => true });
    const discovery = `${good.address},${hanging.address}`;
    await using swarm = await startSwarm(undefined, { discovery, healthy: 1, args: QUICK });
    expect(await names(swarm)).toHaveLength(3);
    const [node] = (await nodesOf(swarm)).filter(({ address }) => address === hanging.address);
    expect(node?.lines['Status']).toBe('Pending');
    const missing = await fetch(`${swarm.url}/containers/nowhere/json`);
    expect([missing.status, await missing.json()]).toEqual([404, { message: 'No such container: nowhere' }]);
    await Promise.all([good.stop(), hanging.stop()]);
  });

  it('makes an engine Unhealthy that begins to hang, and Healthy when it answers again', async () => {
    const good = await fakeEngine(1, { containers: 1 });
    const moody = await fakeEngine(2, { containers: 2 });
    const discovery = `${good.address},${moody.address}`;
    await using swarm = await startSwarm(undefined, { discovery, healthy: 2, args: QUICK });
    moody.intercept = () => true;
    const sick = await untilStatus(swarm, moody.address, 'Unhealthy');
    expect(sick.lines['Error']).toContain('did not answer in time');
    expect(await names(swarm, false)).toEqual(['/node-0001/app-1-0']);
    expect(await names(swarm, true)).toHaveLength(3);
    const lost = await fetch(`${swarm.url}/containers/app-2-0/json`);
    expect([lost.status, await lost.json()]).toEqual([
      500,
      { message: 'Container app-2-0 running on unhealthy node node-0002' },
    ]);
    let streams = 0;
    moody.intercept = (path) => {
      if (path === '/events') streams += 1;
      return false;
    };
    await untilStatus(swarm, moody.address, 'Healthy');
    expect(await names(swarm, false)).toHaveLength(3);
    // The former event stream may have died without a word.
    await until('a new event stream', PATIENCE_MS, () => streams > 0 || undefined);
    await Promise.all([good.stop(), moody.stop()]);
  });

  it.each([
    ['text instead of JSON', (res: { end(text: string): void }) => res.end('hello')],
    ['JSON of another shape', (res: { end(text: string): void }) => res.end('[1,2,3]')],
    ['half of an answer', (res: { end(text: string): void }) => res.end('{"ApiVersion":')],
  ])('keeps what answers with %s Pending, with a reason', async (_what, answer) => {
    const good = await fakeEngine(1);
    const strange = await fakeEngine(2, {
      intercept: (_path, res) => {
        answer(res);
        return true;
      },
    });
    await using swarm = await startSwarm(undefined, {
      discovery: `${good.address},${strange.address}`,
      healthy: 1,
      args: QUICK,
    });
    const node = await until('a reason', PATIENCE_MS, async () =>
      (await nodesOf(swarm)).find(
        ({ address, lines }) => address === strange.address && lines['Error'] !== '(none)',
      ),
    );
    expect(node.lines['Status']).toBe('Pending');
    expect(node.lines['Error']).toMatch(/not.*JSON|not a Docker Engine/);
    await Promise.all([good.stop(), strange.stop()]);
  });

  it('does not take a swarm manager for an engine', async () => {
    const engine = await fakeEngine(1);
    await using inner = await startSwarm(undefined, { discovery: engine.address, healthy: 1, args: QUICK });
    const address = inner.host.replace('tcp://', '');
    await using outer = await startSwarm(undefined, { discovery: address, healthy: 0, args: QUICK });
    const node = await until('a reason', PATIENCE_MS, async () =>
      (await nodesOf(outer)).find(({ lines }) => lines['Error'] !== '(none)'),
    );
    expect(node.lines['Error']).toMatch(/a swarm manager answers there, not an engine|not a Docker Engine/);
    await engine.stop();
  });

  it('notices that another engine answers at the address, and forgets the containers of the first', async () => {
    const engine = await fakeEngine(1, { containers: 4 });
    await using swarm = await startSwarm(undefined, { discovery: engine.address, healthy: 1, args: QUICK });
    const before = await nodesOf(swarm);
    expect(before[0]?.lines['ID']).toBe('ID:node-0001');
    engine.id = 'ID:reborn';
    await until('the new ID', PATIENCE_MS, async () =>
      (await nodesOf(swarm)).find(
        ({ lines }) => lines['ID'] === 'ID:reborn' && lines['Status'] === 'Healthy',
      ),
    );
    expect(await names(swarm)).toHaveLength(4);
    await engine.stop();
  });

  it('survives garbage and half lines in the events, and goes on hearing', async () => {
    const engine = await fakeEngine(1, { containers: 1 });
    await using swarm = await startSwarm(undefined, { discovery: engine.address, healthy: 1, args: QUICK });
    engine.tell('{"Type":"container","Action":"start"');
    engine.tell(',"Actor":{"ID":"x"}}\nnot json\n');
    await until('the events to be followed again', PATIENCE_MS, async () => {
      const reader = new AbortController();
      const answer = await fetch(`${swarm.url}/events`, { signal: reader.signal });
      const told = answer.body?.getReader();
      engine.tell('{"Type":"volume","Action":"mount","Actor":{"ID":"proof"}}\n');
      const first = await Promise.race([told?.read(), sleep(500, undefined)]);
      reader.abort();
      return first?.value && Buffer.from(first.value).toString().includes('proof') ? true : undefined;
    });
    await engine.stop();
  });

  it('takes engines in and out as the file of addresses says', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skep-test-'));
    const engines = [await fakeEngine(1, { containers: 1 }), await fakeEngine(2, { containers: 1 })];
    const file = join(folder, 'engines');
    try {
      await writeFile(file, `${engines[0]?.address} # the first\n`);
      await using swarm = await startSwarm(undefined, {
        discovery: `file://${file}`,
        healthy: 1,
        args: [...QUICK, '--heartbeat=1s'],
      });
      expect(await names(swarm)).toHaveLength(1);
      await writeFile(file, engines.map((engine) => engine.address).join('\n'));
      await untilStatus(swarm, engines[1]?.address ?? '', 'Healthy');
      expect(await names(swarm)).toHaveLength(2);
      await writeFile(file, `${engines[1]?.address}\n`);
      await until('the first to be gone', PATIENCE_MS, async () =>
        (await nodesOf(swarm)).length === 1 ? true : undefined,
      );
      expect(await names(swarm)).toEqual(['/node-0002/app-2-0']);
      await rm(file);
      await until('the trouble to be shown', PATIENCE_MS, async () => {
        const info = (await (await fetch(`${swarm.url}/info`)).json()) as {
          SystemStatus: [string, string][];
        };
        return info.SystemStatus.find(([key]) => key === 'Discovery');
      });
      expect(await names(swarm)).toHaveLength(1);
    } finally {
      await rm(folder, { recursive: true });
      for (const engine of engines) await engine.stop();
    }
  });
});

describe('faults of real engines', () => {
  let hosts: Hosts;
  beforeAll(async () => {
    hosts = await startHosts({ count: 2 });
  });
  afterAll(async () => {
    await hosts.close();
  });

  it('loses a killed engine and takes it back when it is started again', async () => {
    await using swarm = await startSwarm(hosts, { args: QUICK });
    const [first, second] = [hosts.at(0), hosts.at(1)];
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'here',
      '-e',
      `constraint:node==${first.name}`,
      'busybox',
      'sleep',
      '1000',
    );
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'there',
      '-e',
      `constraint:node==${second.name}`,
      'busybox',
      'sleep',
      '1000',
    );
    await second.kill();
    await untilStatus(swarm, second.address, 'Unhealthy');
    expect(await swarm.docker('ps', '--format', '{{.Names}}')).toBe(`${first.name}/here`);
    expect(
      await swarm.docker('ps', '-a', '--filter', 'name=there', '--format', '{{.Names}} {{.Status}}'),
    ).toBe(`${second.name}/there Host Down`);
    const refused = await swarm.tryDocker([
      'run',
      '-d',
      '-e',
      `constraint:node==${second.name}`,
      'busybox',
      'true',
    ]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('Unable to find a node that satisfies the following conditions');
    await second.start();
    await untilStatus(swarm, second.address, 'Healthy');
    expect(await swarm.docker('exec', 'here', 'echo', 'still here')).toBe('still here');
    await swarm.docker('start', 'there');
    expect(await swarm.docker('exec', 'there', 'echo', 'back')).toBe('back');
    await swarm.docker('rm', '-f', 'here', 'there');
  });

  it('goes on without an engine that is frozen', async () => {
    await using swarm = await startSwarm(hosts, { args: QUICK });
    const [first, second] = [hosts.at(0), hosts.at(1)];
    second.pause();
    try {
      await swarm.docker(
        'run',
        '-d',
        '--name',
        'meanwhile',
        '-e',
        `constraint:node==${first.name}`,
        'busybox',
        'sleep',
        '1000',
      );
      await untilStatus(swarm, second.address, 'Unhealthy');
      expect(await swarm.docker('ps', '--format', '{{.Names}}')).toBe(`${first.name}/meanwhile`);
      await swarm.docker('rm', '-f', 'meanwhile');
    } finally {
      second.resume();
    }
    await untilStatus(swarm, second.address, 'Healthy');
  });
});
