import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run, startHosts, swarmImageArchive, until, type Host, type Hosts } from '../hosts/index.ts';
import {
  idsOf,
  infoOf,
  logsOf,
  NOBODY,
  READY_MS,
  silentServer,
  swarm,
  untilHealth,
  userOf,
} from './swarm-container.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'skep-image-test-'));
let plain: Hosts;
let secure: Hosts;
let host: Host;

beforeAll(async () => {
  const archive = await swarmImageArchive();
  const [first, second] = await Promise.all([
    startHosts({ count: 1, prefix: 'plain' }),
    startHosts({ count: 1, prefix: 'secure', tls: true, engine: '28.5', images: false }),
  ]);
  [plain, secure, host] = [first, second, first.at(0)];
  await Promise.all([host, second.at(0)].map((one) => one.loadImages(archive)));
}, 180_000);
afterAll(async () => {
  await Promise.all([plain?.close(), secure?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

test('the image is that of the original swarm: environment, port, volume, entry point', async () => {
  const [image] = JSON.parse(await host.docker('image', 'inspect', 'swarm')) as [
    { Id: string; Size: number; RepoTags: string[]; Config: Record<string, unknown> },
  ];
  expect(image.Config).toMatchObject({
    Entrypoint: ['/swarm'],
    Cmd: ['--help'],
    ExposedPorts: { '2375/tcp': {} },
    Volumes: { '/.swarm': {} },
    Env: expect.arrayContaining(['SWARM_HOST=:2375']) as string[],
    Healthcheck: { Test: ['CMD', '/swarm', 'health'] },
  });
  expect(image.Size).toBeLessThan(130_000_000);
});

test('npm run image builds the same image again, says how large it is and loads it', async () => {
  const before = await host.docker('images', '-q', '--no-trunc', 'swarm:latest');
  await host.docker('rmi', 'swarm:latest');
  const output = join(folder, 'again.tar');
  const said = await run(process.execPath, [join(root, 'scripts/image.mjs'), '--output', output], {
    env: { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONTEXT: undefined, DOCKER_TLS_VERIFY: undefined },
  });
  expect(said).toMatch(/^image: \d+\.\d MB unpacked \(at most 130\.0\), archive \d+\.\d MB$/m);
  expect(said).toContain('Loaded image: swarm:latest');
  expect(await host.docker('images', '-q', '--no-trunc', 'swarm:latest')).toBe(before);
}, 180_000);

test('one-off commands print and end with their exit codes', async () => {
  const help = await swarm(host);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/^Usage: swarm \[OPTIONS\] COMMAND/);
  expect(await swarm(host, '--version')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^swarm version \d+\.\d+\.\d+ \(\w+\)\n$/) as string,
  });
  expect(await swarm(host, 'list', 'nodes://a,b:2376')).toMatchObject({
    code: 0,
    stdout: 'a:2375\nb:2376\n',
  });
  expect(await swarm(host, 'mange')).toMatchObject({ code: 2 });
});

test('a one-off command ends at SIGTERM, although it is the first process', async () => {
  await using silent = await silentServer();
  const url = `http://${host.ip.replace(/\d+$/, '1')}:${silent.port}`;
  const list = ['list', '--timeout=5m', `token://${'0'.repeat(32)}`];
  await host.docker('run', '-d', '--name', 'waiting', '-e', `SWARM_TOKEN_URL=${url}`, 'swarm', ...list);
  // Before its first line runs no program hears a signal, so it is sent until it is heard.
  const code = await until('its end', READY_MS, async () => {
    await host.tryDocker('kill', '-s', 'TERM', 'waiting');
    const state = await host.docker('inspect', '-f', '{{.State.Running}} {{.State.ExitCode}}', 'waiting');
    return state.startsWith('false') ? state.split(' ')[1] : undefined;
  });
  expect(code).toBe('143');
});

test('a token service, agents and a manager, as the guide has them', async () => {
  const url = `http://${host.ip}:8090`;
  const volume = ['-v', 'swarm-tokens:/.swarm'];
  const service = ['swarm', 'discovery', '-H', 'tcp://0.0.0.0:8090'];
  await host.docker('run', '-d', '--name', 'discovery', '-p', '8090:8090', ...volume, ...service);
  expect(await userOf(host, 'discovery')).toBe(NOBODY);
  const create = ['run', '--rm', '-e', `SWARM_TOKEN_URL=${url}`, 'swarm', 'create'];
  const token = await until('a token', READY_MS, () => host.docker(...create));
  expect(token).toMatch(/^[0-9a-f]{32}$/);

  // The image's own check, only more often than every ten seconds.
  const agent = (name: string, tokenUrl: string): Promise<string> =>
    host.docker(
      ...['run', '-d', '--name', name, '--health-interval=1s', '--health-retries=1', '--read-only'],
      ...['-e', `SWARM_TOKEN_URL=${tokenUrl}`, 'swarm', 'join', `--addr=${host.address}`, `token://${token}`],
    );
  await agent('agent', url);
  await agent('lost-agent', `http://${host.ip}:1`);
  await untilHealth(host, 'agent', 'healthy');
  await untilHealth(host, 'lost-agent', 'unhealthy');
  expect(await logsOf(host, 'lost-agent')).toMatch(/refused/i);
  expect(await userOf(host, 'agent')).toBe(NOBODY);
  await host.docker('rm', '-f', 'lost-agent');

  const manage = ['-p', '3378:2375', '--health-interval=1s', 'swarm', 'manage', `token://${token}`];
  await host.docker('run', '-d', '--name', 'by-token', '-e', `SWARM_TOKEN_URL=${url}`, ...manage);
  await infoOf(['-H', `tcp://${host.ip}:3378`], 1);
  await untilHealth(host, 'by-token', 'healthy');

  for (const name of ['by-token', 'agent', 'discovery']) {
    await host.docker('stop', name);
    expect([name, await host.docker('inspect', '-f', '{{.State.ExitCode}}', name)]).toEqual([name, '0']);
  }
  await host.docker('start', 'discovery');
  const list = ['run', '--rm', '-e', `SWARM_TOKEN_URL=${url}`, 'swarm', 'list', `token://${token}`];
  expect(await until('the list as it was', READY_MS, () => host.docker(...list))).toBe(host.address);
});

test('a manager answers on the published port, unprivileged, and stops in order', async () => {
  await host.docker(
    'run',
    '-d',
    '--name',
    'manager',
    '-p',
    '3376:2375',
    'swarm',
    'manage',
    `nodes://${host.address}`,
  );
  const cli = ['-H', `tcp://${host.ip}:3376`];
  expect(await infoOf(cli, 1)).toMatch(/Nodes: 1\n {2}?plain-01: /);
  expect(await userOf(host, 'manager')).toBe(NOBODY);
  expect(await idsOf(host, 'manager')).toEqual([NOBODY, NOBODY, NOBODY]);
  const row = await host.docker(
    'ps',
    '--no-trunc',
    '--filter',
    'name=manager',
    '--format',
    '{{.Command}}|{{.Ports}}',
  );
  expect(row).toMatch(/^"\/swarm manage nodes:\/\/[\d.]+:2375"\|.*0\.0\.0\.0:3376->2375\/tcp/);

  await run('docker', [...cli, 'run', '-d', '--name', 'web', 'nginx']);
  const names = (all: readonly string[]): Promise<string> =>
    run('docker', [...cli, 'ps', ...all, '--format', '{{.Names}} {{.Image}}']);
  expect(await names([])).toBe('plain-01/web nginx');
  expect(await names(['-a'])).toContain('plain-01/manager swarm');

  await host.docker('stop', 'manager');
  expect(await host.docker('inspect', '-f', '{{.State.ExitCode}}', 'manager')).toBe('0');
});

test('a manager on a read-only disk reaches an engine by its mounted socket', async () => {
  const mount = ['-v', '/run/docker.sock:/var/run/docker.sock'];
  const args = ['--read-only', '-p', '3377:2375', 'swarm', 'manage', 'nodes://unix:///var/run/docker.sock'];
  await host.docker('run', '-d', '--name', 'by-socket', ...mount, ...args);
  await infoOf(['-H', `tcp://${host.ip}:3377`], 1);
  expect(await userOf(host, 'by-socket')).toBe(NOBODY);
  const group = await host.exec('stat', '-c', '%g', '/run/docker.sock');
  expect(await idsOf(host, 'by-socket')).toContain(group);
  await host.docker('rm', '-f', 'by-socket');
});

test('SWARM_USER chooses the user, or root; without the capabilities it is an error that says so', async () => {
  const start = (name: string, ...args: string[]): Promise<string> =>
    host.docker('run', '-d', '--name', name, ...args, 'swarm', 'manage', `nodes://${host.address}`);
  await start('other', '-e', 'SWARM_USER=1234:5678');
  expect(await userOf(host, 'other')).toBe('1234');
  await start('powerless', '--cap-drop=ALL');
  expect(await host.docker('wait', 'powerless')).toBe('1');
  expect(await logsOf(host, 'powerless')).toMatch(/level=fatal msg="cannot become user 65534 .*SETUID/);
  await start('someone', '--cap-drop=ALL', '--user=4321');
  await until(
    'it listens',
    READY_MS,
    async () => (await logsOf(host, 'someone')).includes('Listening') || undefined,
  );
  expect((await idsOf(host, 'someone'))[0]).toBe('4321');
  await host.docker('rm', '-f', 'other', 'powerless', 'someone');
});

test('a list of nodes that only root can read is warned of', async () => {
  chmodSync(folder, 0o755);
  const list = join(folder, 'nodes');
  writeFileSync(list, `${host.address}\n`, { mode: 0o600 });
  const args = ['-v', `${folder}:/lists:ro`, 'swarm', 'manage', 'file:///lists/nodes'];
  await host.docker('run', '-d', '--name', 'listed', ...args);
  const log = await until('the warning', READY_MS, async () => {
    const text = await logsOf(host, 'listed');
    return text.includes('level=warning msg="Without') ? text : undefined;
  });
  expect(log).toMatch(
    /msg="Without the privileges of root it cannot be read" path="\/lists\/nodes" uid=65534/,
  );
  await host.docker('rm', '-f', 'listed');
});

test('key files that only root can read are read before the privileges are dropped', async () => {
  const engine = secure.at(0);
  const { tls, ownTls } = engine;
  if (!tls || !ownTls) throw new Error('the host has no TLS');
  const certs = join(folder, 'certs');
  mkdirSync(certs);
  copyFileSync(tls.ca, join(certs, 'ca.pem'));
  copyFileSync(ownTls.cert, join(certs, 'cert.pem'));
  copyFileSync(ownTls.key, join(certs, 'key.pem'));
  chmodSync(join(certs, 'key.pem'), 0o600);
  expect(statSync(join(certs, 'key.pem'))).toMatchObject({ uid: 0 });
  const files = ['--tlscacert=/server/ca.pem', '--tlscert=/server/cert.pem', '--tlskey=/server/key.pem'];
  await engine.docker(
    ...['run', '-d', '--restart=always', '--name=swarm_mgr', '-p', '4000:4000', '-v', `${certs}:/server:ro`],
    ...['swarm', 'manage', '--tlsverify', ...files, '--host=0.0.0.0:4000', `nodes://${engine.address}`],
  );
  const client = ['--tlsverify', '--tlscacert', tls.ca, '--tlscert', tls.cert, '--tlskey', tls.key];
  const cli = [...client, '-H', `tcp://${engine.ip}:4000`];
  await infoOf(cli, 1);
  expect(await run('docker', [...cli, 'version', '--format', '{{.Server.Version}}'])).toMatch(/^swarm\//);
  expect(await userOf(engine, 'swarm_mgr')).toBe(NOBODY);
  const row = await engine.docker('ps', '--format', '{{.Command}}|{{.Ports}}');
  expect(row).toMatch(/^"\/swarm manage.*\|2375\/tcp, 0\.0\.0\.0:4000->4000\/tcp/);
});
