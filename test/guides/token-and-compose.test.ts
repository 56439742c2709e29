import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ensureComposeV2,
  noDockerConfig,
  run,
  startHosts,
  until,
  type CommandResult,
  type Host,
  type Hosts,
} from '../hosts/index.ts';
import type { ServerProcess } from '../stores/server-process.ts';
import { startLine, swarmFolder } from './lasting-line.ts';
import { tryTyped, typed } from './shell-lines.ts';

/*
 * Three machines: one without an engine, for the token service and the manager, and two different ones with engines, one of
 * them called pocket. Lines are typed as they stand in docs/guides/token-and-compose.md.
 */
const POOL_MS = 90_000;
const folder = mkdtempSync(join(tmpdir(), 'skep-guide-token-'));
const running: ServerProcess[] = [];
let hosts: Hosts;
let master: Host;
let pocket: Host;
let desktop: Host;
let composeConfig = '';
let token = '';

beforeAll(async () => {
  composeConfig = (await ensureComposeV2()).dockerConfig;
  hosts = await startHosts({
    count: 3,
    engine: ['20.10', '20.10', '28.5'],
    labels: [{}, { arch: 'arm' }, { arch: 'amd64' }],
  });
  [master, pocket, desktop] = [hosts.at(0), hosts.at(1), hosts.at(2)];
  await Promise.all([master.stop(), pocket.exec('hostname', 'pocket'), desktop.exec('hostname', 'desktop')]);
}, 120_000);

afterAll(async () => {
  await Promise.allSettled(running.map((process) => process.kill()));
  await hosts?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const serviceUrl = (): string => `http://${master.ip}:8090`;
/** A line of somebody who has named the token service. */
const named = (line: string): string => `export SWARM_TOKEN_URL=${serviceUrl()}; ${line}`;
/** And of somebody who has not. */
const swarm = (line: string): Promise<CommandResult> =>
  tryTyped(master, `unset SWARM_TOKEN_URL; swarm ${line}`, swarmFolder);

async function keep(host: Host, line: string, says: string): Promise<ServerProcess> {
  const env = { SWARM_TOKEN_URL: serviceUrl(), SWARM_STATE_DIR: join(folder, 'tokens') };
  const process = await startLine(host, { line, folder, says, env });
  running.push(process);
  return process;
}

function infoOf(port: number, nodes: number): Promise<string> {
  return until(`${nodes} healthy nodes at ${port}`, POOL_MS, async () => {
    const info = await typed(pocket, `docker --host=${master.ip}:${port} info`);
    return info.match(/Status: Healthy/g)?.length === nodes ? info : undefined;
  });
}

test('without a token service the commands say that the public one is gone, and what to do', async () => {
  for (const line of ['create', `join --addr=${pocket.address} token://${'1810ffdf'.repeat(4)}`]) {
    const { code, stdout, stderr } = await swarm(line);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/the public one .* is gone.*swarm discovery -H tcp:\/\/0\.0\.0\.0:8090/);
    expect(stdout + stderr).toContain('export SWARM_TOKEN_URL=');
  }
});

test('create prints a token of 32 hex digits', async () => {
  await keep(master, 'swarm discovery -H tcp://0.0.0.0:8090', 'Listening for HTTP');
  token = await typed(master, named('swarm create'), swarmFolder);
  expect(token).toMatch(/^[0-9a-f]{32}$/);
});

test('a manager on a host without an engine has the engines that join', async () => {
  const { ip } = master;
  const manager = await keep(
    master,
    `swarm --debug manage token://${token} --host=:3376 --advertise=${ip}:3376`,
    'Listening for HTTP',
  );
  const version = await typed(pocket, `docker --host=${ip}:3376 version`);
  expect(version).toMatch(/Server:[^]*Version: +swarm\//);

  await keep(pocket, `swarm --debug join --addr=${pocket.address} token://${token}`, 'msg=Registered');
  const agent = await keep(
    desktop,
    `swarm -debug join -heartbeat=1m30s --ttl 4m30s -addr=${desktop.address} token://${token}`,
    'msg=Registered',
  );
  expect(agent.log()).toContain('every 1m30s...');
  const info = await infoOf(3376, 2);
  expect(info).toContain(`pocket: ${pocket.address}`);
  expect(info).toContain(`desktop: ${desktop.address}`);
  const list = await typed(desktop, named(`swarm list token://${token}`), swarmFolder);
  expect(list.split('\n').sort()).toEqual([pocket.address, desktop.address].sort());
  expect(manager.log()).toContain('level=debug');

  const docker = `docker --host=${ip}:3376`;
  await typed(desktop, `${docker} run -d --name any -e constraint:arch==arm busybox sleep 1000`);
  expect(await typed(desktop, `${docker} ps --format '{{.Names}}'`)).toBe('pocket/any');
  await typed(desktop, `${docker} rm -f any`);
}, 120_000);

test('options come before and after the argument, with one dash or two', async () => {
  const { ip } = master;
  await keep(
    master,
    `swarm manage -tlsverify=false --heartbeat=1m30s token://${token} -host=:3377 -advertise ${ip}:3377 --engine-refresh-max-interval=1m30s`,
    'Listening for HTTP',
  );
  await infoOf(3377, 2);
  const verified = await tryTyped(
    master,
    named(`swarm manage token://${token} --host=:3378 --tlsverify=true`),
    swarmFolder,
  );
  expect(verified.code).not.toBe(0);
  expect(verified.stdout + verified.stderr).toMatch(/--tlscert and --tlskey must be provided/);
}, 120_000);

test('manage --help has the six forms, and each option with its variable and default', async () => {
  const { code, stdout } = await swarm('manage --help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/\$SWARM_DISCOVERY/);
  for (const form of ['token://', 'consul://', 'etcd://', 'file://', 'zk://', '[nodes://]'])
    expect(stdout).toContain(`* ${form}`);
  const lines = [
    /--strategy "spread".*\$SWARM_STRATEGY/,
    /--filter, -f .*health.*whitelist/,
    /--host, -H .*tcp:\/\/127\.0\.0\.1:2375.*\$SWARM_HOST/,
    /--replication\s/,
    /--replication-ttl "20s"/,
    /--advertise, --addr.*\$SWARM_ADVERTISE/,
    ...['tls', 'tlscacert', 'tlscert', 'tlskey', 'tlsverify'].map((flag) => new RegExp(`--${flag}\\s`)),
    /--engine-refresh-min-interval "30s"/,
    /--engine-refresh-max-interval "60s"/,
    /--engine-failure-retry "3"/,
    /--engine-refresh-retry "3".*deprecated/,
    /--heartbeat "60s"/,
    /--api-enable-cors, --cors/,
    /--cluster-driver, -c "swarm"/,
    /--discovery-opt .*/,
    /--cluster-opt /,
    /--refresh-on-node-filter/,
    /--container-name-refresh-filter/,
  ];
  for (const line of lines) expect(stdout).toMatch(line);
});

const FILE = `version: "2"
services:
  service:
    image: nginx
    ports: ["8080:80"]
    environment:
      - "constraint:node==pocket"
`;

describe.each([
  ['1.29', (host: string, words: string) => `docker-compose -H=${host} ${words}`, '_'],
  ['2', (host: string, words: string) => `docker -H tcp://${host} compose ${words}`, '-'],
])('Compose %s', (version, command, separator) => {
  const compose = (words: string): Promise<string> => {
    const cwd = join(folder, version, 'project');
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'docker-compose.yml'), FILE);
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      DOCKER_CONFIG: version === '2' ? composeConfig : noDockerConfig,
      DOCKER_HOST: undefined,
      DOCKER_TLS_VERIFY: undefined,
      COMPOSE_PROJECT_NAME: undefined,
    };
    return run('sh', ['-c', command(`${master.ip}:3376`, words)], { cwd, env });
  };

  test('brings a project up on the node that its file names', async () => {
    await compose('up -d');
    const ps = await typed(desktop, `docker -H tcp://${master.ip}:3376 ps`);
    expect(ps.split('\n')).toHaveLength(2);
    expect(ps).toContain(`pocket/project${separator}service${separator}1`);
    expect(ps).toContain(`${pocket.ip}:8080->80/tcp`);
    const page = await until('the page', 20_000, () =>
      typed(desktop, `busybox wget -qO- http://${pocket.ip}:8080`),
    );
    expect(page).toContain('nginx');
    expect(await compose('ps')).toContain(`project${separator}service${separator}1`);
    await compose('down -t 1');
    const left = await typed(desktop, `docker -H tcp://${master.ip}:3376 ps -aq`);
    expect(left).toBe('');
  }, 120_000);
});
