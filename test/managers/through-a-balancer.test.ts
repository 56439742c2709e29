import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { noDockerConfig, run, tryRun, until, type CommandResult } from '../hosts/index.ts';
import { issueServer, makeAuthority, tlsArgs, type TlsFiles } from '../hosts/tls.ts';
import { call, type Answer } from '../virtual-host/raw.ts';
import { startRoundRobin, type RoundRobin } from '../virtual-host/round-robin.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Three managers whose API listens at TCP, and a balancer that gives each connection to the next. Each test goes on from the former. */
const MINUTES_MS = 240_000;
const SOON_MS = 30_000;
/** Agents come back within seconds; each of their tries may take some. */
const AGENT_MS = 90_000;
const PORT = 2370;

let swarm: ManagerSwarm;
let balancer: RoundRobin;
let folder = '';
/** What the CLI needs for TLS. */
let client: readonly string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skep-balancer-'));
  swarm = await ManagerSwarm.start(['20.10', '28.5', '20.10'], { managers: 3 });
  balancer = await startRoundRobin(swarm.hosts.all.map(({ ip }) => `${ip}:${PORT}`));
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await balancer?.[Symbol.asyncDispose]();
  await swarm?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const env = { DOCKER_CONFIG: noDockerConfig };
/** The real CLI through the balancer: each of its connections reaches another manager. */
const docker = (...args: string[]): Promise<string> =>
  run('/usr/bin/docker', ['-H', balancer.host, ...client, ...args], { env });
const tryDocker = (...args: string[]): Promise<CommandResult> =>
  tryRun('/usr/bin/docker', ['-H', balancer.host, ...args], { env });

/** Starts every manager again, one after the other, with its API at TCP too. */
async function listenWith(tls: (index: number) => readonly string[]): Promise<void> {
  for (const [index, { ip }] of swarm.hosts.all.entries())
    await swarm.at(index).restart('-H', `tcp://${ip}:${PORT}`, ...tls(index));
  for (const index of [0, 1, 2])
    await swarm.nodes(index, (rows) =>
      rows.every(({ Status, ManagerStatus }) => Status === 'Ready' && /Leader|Reachable/.test(ManagerStatus)),
    );
}

/** A command of the CLI that goes on, and what it has said so far. */
function following(host: string, ...args: string[]): { said: () => string; end: () => void } {
  const child = spawn('/usr/bin/docker', ['-H', host, ...client, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.on('close', () => (said += 'ended\n'));
  return { said: () => said, end: () => void child.kill('SIGKILL') };
}

/** All managers are the same, whichever is asked. */
async function sameEverywhere(name: string): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    const rows = (await docker('node', 'ls', '--format', '{{.ManagerStatus}}')).split('\n');
    expect(rows.sort()).toEqual(['Leader', 'Reachable', 'Reachable']);
    expect(await docker('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe(`${name} 3/3`);
  }
}

/** Lines are read through the balancer as they come. */
async function followed(name: string): Promise<void> {
  const logs = following(balancer.host, 'service', 'logs', '-f', '--raw', '--tail', '0', name);
  try {
    await until('lines of its tasks', SOON_MS, () => logs.said().split('said').length > 6 || undefined);
  } finally {
    logs.end();
  }
}

/** The numbers that each container has said, in the order in which a reader has had them. */
function counted(said: string): Map<string, number[]> {
  const numbers = new Map<string, number[]>();
  for (const [, container = '', number] of said.matchAll(/^(\w+) (\d+)$/gm))
    numbers.set(container, [...(numbers.get(container) ?? []), Number(number)]);
  return numbers;
}

/** Until all containers of a reader have said more; every number came, each once. */
async function countsOn(reader: { said: () => string }): Promise<void> {
  const before = counted(reader.said());
  await until(`lines of ${swarm.hosts.all.length} tasks go on`, AGENT_MS, () => {
    const now = [...counted(reader.said())];
    const isOn = now.length === swarm.hosts.all.length;
    return (isOn && now.every(([id, all]) => all.length >= (before.get(id)?.length ?? 0) + 5)) || undefined;
  });
  for (const [, numbers] of counted(reader.said()))
    expect(numbers).toEqual(numbers.map((_number, index) => (numbers[0] ?? 0) + index));
  expect(reader.said()).not.toContain('ended');
}

/** One request on a connection of its own, so at another manager each time. */
const ask = (method: string, path: string, body?: object): Promise<Answer> =>
  call(balancer.url, method, `/v1.41${path}`, body ? { body } : {});

test(
  "docker's commands and streams go through any manager",
  async () => {
    await listenWith(() => ['--tls=false']);
    const types = ['--filter', 'type=service', '--filter', 'type=config'];
    const events = following(balancer.host, 'events', ...types, '--format', '{{.Type}} {{.Action}}');
    try {
      let probes = 0;
      await until('events come', SOON_MS, async () => {
        await docker('config', 'create', `probe-${(probes += 1)}`, '/etc/hostname');
        return events.said().includes('config create') || undefined;
      });
      const say = 'while :; do echo said; sleep 0.3; done';
      const options = ['--no-resolve-image', '--name', 'web', '--replicas', '3', '--stop-signal', 'SIGKILL'];
      await docker('service', 'create', ...options, 'busybox', 'sh', '-c', say);
      await sameEverywhere('web');
      await docker('service', 'update', '--env-add', 'CHANGED=1', '--update-parallelism', '0', 'web');
      const ps = ['service', 'ps', '-f', 'desired-state=running', '--format', '{{.CurrentState}}', 'web'];
      const states = (await docker(...ps)).split('\n').map((state) => state.split(' ')[0]);
      expect(states).toEqual(['Running', 'Running', 'Running']);
      await until(
        'its events',
        SOON_MS,
        () => /service create\n(.*\n)*service update\n/.test(events.said()) || undefined,
      );
      await followed('web');
    } finally {
      events.end();
    }
  },
  MINUTES_MS,
);

test(
  'logs that are followed go on when managers end, without a line lost or twice',
  async () => {
    const count = 'i=0; while :; do echo $HOSTNAME $i; i=$((i+1)); sleep 0.2; done';
    const options = ['--no-resolve-image', '--name', 'count', '--mode', 'global', '--stop-signal', 'SIGKILL'];
    await docker('service', 'create', ...options, 'busybox', 'sh', '-c', count);
    const readers = swarm.hosts.all.map(({ ip }) =>
      following(`tcp://${ip}:${PORT}`, 'service', 'logs', '-f', '--raw', 'count'),
    );
    const readBut = async (index: number): Promise<void> => {
      for (const [at, reader] of readers.entries()) if (at !== index) await countsOn(reader);
    };
    try {
      await readBut(-1);
      const stopped = await swarm.leader();
      await swarm.at(stopped).stop();
      await readBut(stopped);
      await swarm.at(stopped).start();
      const killed = await swarm.leader(stopped);
      await swarm.at(killed).kill();
      const [left = 0] = [0, 1, 2].filter((index) => index !== stopped && index !== killed);
      await countsOn(readers[left] as (typeof readers)[number]);
      await swarm.at(killed).start();
      // Agents come through any of them, and lose their sessions with it.
      await swarm.at(stopped).restart('-H', `tcp://${swarm.hosts.at(stopped).ip}:${PORT}`, '--tls=false');
      await countsOn(readers[left] as (typeof readers)[number]);
    } finally {
      for (const reader of readers) reader.end();
    }
    await docker('service', 'rm', 'count');
  },
  MINUTES_MS,
);

test(
  'what was written through one manager is read at once through each other',
  async () => {
    for (let round = 0; round < 20; round += 1) {
      const spec = { Name: `config-${round}`, Data: 'aGk=', Labels: {} };
      const made = await ask('POST', '/configs/create', spec);
      expect(made.status).toBe(201);
      const path = `/configs/${made.json<{ ID: string }>().ID}`;
      const read = await ask('GET', path);
      expect(read.status).toBe(200);
      const version = read.json<{ Version: { Index: number } }>().Version.Index;
      const changed = { ...spec, Labels: { round: `${round}` } };
      expect((await ask('POST', `${path}/update?version=${version}`, changed)).status).toBe(200);
      expect((await ask('GET', path)).json()).toMatchObject({ Spec: { Labels: changed.Labels } });
      expect((await ask('DELETE', path)).status).toBe(204);
      expect((await ask('GET', path)).status).toBe(404);
    }
  },
  MINUTES_MS,
);

test(
  'the same over TLS, for who has a certificate',
  async () => {
    const files = await makeAuthority(folder);
    const own: TlsFiles[] = [];
    for (const { name, ip } of swarm.hosts.all) own.push(await issueServer(folder, name, `${ip},127.0.0.1`));
    await listenWith((index) => ['--tlsverify', ...tlsArgs(own[index] as TlsFiles)]);
    client = ['--tlsverify', ...tlsArgs(files)];
    await sameEverywhere('web');
    await docker('service', 'update', '-d', '--label-add', 'secure=1', 'web');
    const label = '{{index .Spec.Labels "secure"}}';
    expect(await docker('service', 'inspect', '--format', label, 'web')).toBe('1');
    await followed('web');
    const refused = await tryDocker('node', 'ls');
    expect(refused.code).not.toBe(0);
  },
  MINUTES_MS,
);
