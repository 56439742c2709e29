import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  dockerClis,
  noDockerConfig,
  startHosts,
  tryRun,
  until,
  type DockerCli,
  type Host,
  type Hosts,
} from '../hosts/index.ts';
import { Swarmd } from './swarmd.ts';

/** The same tour with every docker CLI, the oldest engine behind it: each makes a swarm and leaves it. */
const clis = await dockerClis();

let hosts: Hosts;
let host: Host;
let swarmd: Swarmd;

beforeAll(async () => {
  hosts = await startHosts({ count: 1, dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' } });
  host = hosts.at(0);
  swarmd = await new Swarmd(host).start();
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

const STACK = `
version: "3.8"
services:
  web: { image: nginx, networks: [inner], configs: [{ source: page, target: /page }] }
networks: { inner: {} }
configs: { page: { external: true, name: note } }
`;
/** Some of the tour's events. */
const TOLD = [
  'service create bee',
  'secret create word',
  'config create note',
  'network create outer',
  'network remove hive_inner',
];
const QUICK = [
  '--no-resolve-image',
  '--update-monitor',
  '100ms',
  '--rollback-monitor',
  '100ms',
  '--stop-grace-period',
  '1s',
];

/** `docker …` with that CLI; `input` where the last argument is `-`. */
type Docker = (args: readonly string[], input?: string) => Promise<string>;
const caller =
  ({ path }: DockerCli): Docker =>
  async (args, input = '') => {
    const env = { DOCKER_HOST: `unix://${swarmd.socket}`, DOCKER_CONFIG: noDockerConfig };
    const { code, stdout, stderr } = await tryRun(path, args, { input, env });
    expect(code, `docker ${args.join(' ')}: ${stderr}`).toBe(0);
    return stdout.trimEnd();
  };

test('there are old and new clients', () => {
  expect(clis.length).toBeGreaterThan(1);
  expect(clis[0]?.version).toMatch(/^20\.10\./);
});

test.each(clis)('docker $version', { timeout: 120_000 }, async (cli) => {
  const docker = caller(cli);
  onTestFinished(async () => void (await swarmd.tryDocker(['swarm', 'leave', '--force'])));
  const said = await docker(['swarm', 'init', '--advertise-addr', host.ip]);
  expect(said).toContain('docker swarm join --token SWMTKN-1-');
  expect(await docker(['node', 'ls', '--format', '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'])).toMatch(
    new RegExp(`^${host.name} (Ready|Unknown) Leader$`),
  );
  expect(await docker(['node', 'inspect', '--pretty', 'self'])).toContain('Hostname:');
  await docker(['network', 'create', '-d', 'overlay', '--attachable', 'outer']);
  await docker(['secret', 'create', '--label', 'a=b', 'word', '-'], 'sesame');
  await docker(['config', 'create', 'note', '-'], 'buzz');

  const with_ = ['--network', 'outer', '--secret', 'word', '--config', 'note', '--init', '-p', '8080:80'];
  const command = ['busybox', 'sh', '-c', 'echo hello; exec sleep 1000'];
  const id = await docker(['service', 'create', '--name', 'bee', ...QUICK, '-q', ...with_, ...command]);
  expect(id).toMatch(/^\w{25}$/);
  expect(await docker(['service', 'ls', '--format', '{{.Name}} {{.Mode}} {{.Replicas}} {{.Ports}}'])).toBe(
    'bee replicated 1/1 *:8080->80/tcp',
  );
  expect(await docker(['service', 'inspect', '--pretty', 'bee'])).toMatch(/Networks: outer/);
  await docker(['service', 'scale', 'bee=2']);
  expect(await docker(['service', 'ps', 'bee', '--format', '{{.Name}} {{.DesiredState}}'])).toBe(
    'bee.1 Running\nbee.2 Running',
  );
  await until('its lines', 10_000, async () => {
    return (await docker(['service', 'logs', '--raw', 'bee'])).includes('hello') || undefined;
  });
  for (const kind of ['network', 'secret', 'config'])
    expect(await docker([kind, 'ls', '--format', '{{.Name}}'])).toMatch(/^(outer|word|note)$/m);
  expect(await docker(['network', 'inspect', 'outer', '--format', '{{.Scope}} {{.Driver}}'])).toBe(
    'swarm overlay',
  );
  expect(await docker(['config', 'inspect', '--pretty', 'note'])).toContain('buzz');
  expect(await docker(['secret', 'inspect', 'word', '--format', '{{.Spec.Labels.a}}'])).toBe('b');

  await docker(['stack', 'deploy', '-c', '-', 'hive'], STACK);
  expect(await docker(['stack', 'ls', '--format', '{{.Name}} {{.Services}}'])).toBe('hive 1');
  await until('the stack runs', 20_000, async () => {
    return (await docker(['stack', 'services', 'hive', '--format', '{{.Replicas}}'])) === '1/1' || undefined;
  });
  expect(await docker(['stack', 'ps', 'hive', '--format', '{{.Name}}'])).toContain('hive_web.1');
  await docker(['stack', 'rm', 'hive']);
  expect(await docker(['stack', 'ls', '--format', '{{.Name}}'])).toBe('');

  expect(await docker(['system', 'df', '--format', '{{.Type}} {{.TotalCount}}'])).toMatch(/^Images \d/m);
  expect(await docker(['info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Nodes}}'])).toBe('active 1');
  expect(await docker(['version', '--format', '{{.Server.Version}}'])).toBe(host.engineVersion);
  const format = '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}';
  await until('all has been told', 10_000, async () => {
    // The client cuts the time off at whole seconds.
    const events = await docker(['events', '--since', '5m', '--until', '0s', '--format', format]);
    return TOLD.every((event) => events.split('\n').includes(event)) || undefined;
  });

  expect(await docker(['service', 'rm', 'bee'])).toBe('bee');
  for (const [kind, name] of Object.entries({ network: 'outer', secret: 'word', config: 'note' }))
    await docker([kind, 'rm', name]);
  expect(await docker(['swarm', 'leave', '--force'])).toBe('Node left the swarm.');
});
