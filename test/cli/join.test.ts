import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { startSwarm } from '../virtual-host/manager.ts';
import { run, start, type Running } from './swarm-process.ts';
import { startTokenService, type TokenService } from './token-service.ts';

const WAIT_MS = 30_000;
let folder = '';
let hosts: Hosts;
let service: TokenService;
let env: NodeJS.ProcessEnv;
let health = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'swarm-join-'));
  health = join(folder, 'health');
  [hosts, service] = await Promise.all([
    startHosts({ count: 1, images: false }),
    startTokenService(join(folder, 'state')),
  ]);
  env = { SWARM_TOKEN_URL: service.url, SWARM_HEALTH_FILE: health };
});
afterAll(async () => {
  await service?.stop();
  await hosts?.close();
  rmSync(folder, { recursive: true });
});

const said = (running: Running, words: string): Promise<unknown> =>
  until(`"${words}"`, WAIT_MS, () => running.log().includes(words) || undefined).catch((error: unknown) => {
    throw new Error(running.log(), { cause: error });
  });
const times = (running: Running, words: RegExp): number => running.log().match(words)?.length ?? 0;
const newToken = async (): Promise<string> => `token://${(await run(['create'], env)).stdout.trim()}`;
const QUICK = ['--heartbeat', '1s', '--ttl', '4s'];

test('create, join, list, manage', async () => {
  const token = await newToken();
  const { address } = hosts.at(0);
  await using agent = start(['-debug', 'join', ...QUICK, '--delay=10ms', `-addr=${address}`, token], env);
  await said(agent, 'level=info msg=Registered');
  expect(agent.log()).toContain('msg="Registering on the discovery service every 1s..."');
  expect((await run(['list', token], env)).stdout).toBe(`${address}\n`);
  const well = await run(['health'], env);
  expect(well.stdout).toContain(`registered ${address} for another`);
  expect(well.code).toBe(0);
  const args = ['--heartbeat', '1s', '--discovery-opt', `token.url=${service.url}`];
  await using swarm = await startSwarm(hosts, { discovery: token, args });
  expect(await swarm.docker('info', '--format', '{{.SystemStatus}}{{.DriverStatus}}')).toContain(address);
  expect(agent.log()).not.toContain('level=warning');

  // Nobody says goodbye: the registration runs out.
  expect(await agent.stop()).toBe(0);
  expect((await run(['health'], env)).code).toBe(1);
  await until('the end of the registration', WAIT_MS, async () => {
    return (await run(['list', token], env)).stdout === '' || undefined;
  });
  await until('the manager to let the engine go', WAIT_MS, async () => {
    const { Nodes } = (await (await fetch(`${swarm.url}/info`)).json()) as { Nodes?: number };
    const info = await swarm.docker('info');
    return (Nodes ?? 0) === 0 && !info.includes(address) ? true : undefined;
  });
});

test('goes on trying, says why once, and returns', async () => {
  const token = await newToken();
  const port = service.port;
  await service.stop();
  await using agent = start(['join', ...QUICK, '--addr', hosts.at(0).address, token], env);
  await said(agent, 'msg="Cannot register, trying again"');
  expect(agent.log()).toMatch(
    /level=error .*err="token service http:\/\/127\.0\.0\.1:\d+: connection refused"/,
  );
  const ill = await run(['health'], env);
  expect(ill.code).toBe(1);
  expect(ill.stdout + ill.stderr).toMatch(/not registered yet: token service .* connection refused/);
  service = await startTokenService(join(folder, 'state'), { port });
  await said(agent, 'msg=Registered');
  expect(times(agent, /Cannot register/g)).toBe(1);

  // Once more, after a loss of everything the service knew.
  await service.stop('SIGKILL');
  await until('the second trouble', WAIT_MS, () => times(agent, /Cannot register/g) >= 2 || undefined);
  rmSync(join(folder, 'state'), { recursive: true });
  service = await startTokenService(join(folder, 'state'), { port });
  await until('the return', WAIT_MS, () => times(agent, /msg=Registered/g) >= 2 || undefined);
  expect((await run(['list', token], env)).stdout).toBe(`${hosts.at(0).address}\n`);
  expect(await agent.stop()).toBe(0);
});

test('says what answers at the advertised address', async () => {
  const token = await newToken();
  await using manager = start(['manage', '-H', '127.0.0.1:0', hosts.at(0).address], {
    SWARM_HEALTH_FILE: '',
  });
  const port = await until(
    'the manager',
    WAIT_MS,
    () => /addr="127\.0\.0\.1:(\d+)"/.exec(manager.log())?.[1],
  );
  await using misled = start(
    ['join', '--host=0.0.0.0:4000', `--advertise=127.0.0.1:${port}`, '--heartbeat=1s', token],
    env,
  );
  await said(misled, '--host 0.0.0.0:4000 is not used: an agent listens nowhere');
  await said(misled, `that is a swarm manager, not an engine: ${port} is the port of a manager`);
  await said(misled, 'msg=Registered');

  // An engine that comes later is seen.
  await hosts.at(0).stop();
  await using early = start(['join', ...QUICK, '--addr', hosts.at(0).address, token], env);
  await said(early, 'no engine answers there: connection refused');
  await hosts.at(0).start();
  await said(early, 'An engine answers at the advertised address');
});

test('an agent costs less than 70 MB', async () => {
  const token = await newToken();
  await using agent = start(['join', ...QUICK, '--addr', hosts.at(0).address, token], env);
  await said(agent, 'msg=Registered');
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1];
  expect(Number(kib) / 1024).toBeLessThan(70);
  expect(await agent.stop()).toBe(0);
});

test('a list that a person keeps cannot be joined', async () => {
  const refused = await run(['join', '--addr', hosts.at(0).address, `nodes://${hosts.at(0).address}`]);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain('level=fatal msg="not implemented in this discovery service"');
});
