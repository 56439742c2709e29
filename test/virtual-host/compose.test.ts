import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureComposeV2, run, startHosts, until, type Hosts, noDockerConfig } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';

let hosts: Hosts;
let swarm: Swarm;
const clients = new Map<string, string>([['1.29', 'docker-compose']]);
const EXAMPLE = new URL('../../examples/compose/docker-compose.yml', import.meta.url);
const root = mkdtempSync(join(tmpdir(), 'skep-compose-'));

beforeAll(async () => {
  clients.set('2', (await ensureComposeV2()).path);
  hosts = await startHosts({ count: 2, engine: ['20.10', '28.5'] });
  swarm = await startSwarm(hosts);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
  rmSync(root, { recursive: true, force: true });
}, 60_000);

interface Project {
  /** Writes its file; it may change between calls. */
  readonly file: (text: string) => void;
  readonly call: (...args: string[]) => Promise<string>;
}

/** A project in a folder of its own. */
function project(client: string, name: string, more: Readonly<Record<string, string>> = {}): Project {
  const folder = join(root, `${client}-${name}`);
  mkdirSync(folder, { recursive: true });
  // Builds that go where the scheduler says, as those of Compose 1 do.
  const env = { DOCKER_HOST: swarm.host, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: noDockerConfig, ...more };
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo built > /built\n');
  return {
    file: (text) => writeFileSync(join(folder, 'docker-compose.yml'), text),
    call: (...args) => run(clients.get(client) ?? '', ['-p', name, ...args], { cwd: folder, env }),
  };
}

const ps = (...format: string[]): Promise<string> => swarm.docker('ps', '-a', '--format', format.join(' '));

/** What a project may leave behind. */
async function left(): Promise<string> {
  const networks = await swarm.docker('network', 'ls', '-q', '--filter', 'type=custom');
  return [await ps('{{.Names}}'), networks, await swarm.docker('volume', 'ls', '-q')].join('');
}

describe.each(['1.29', '2'])('Compose %s', { timeout: 180_000 }, (client) => {
  it('makes a service with a published port anew where it is, with its volumes', async () => {
    const { file, call } = project(client, 'shop');
    const text = (memory: string): string => `version: "2.4"
services:
  web:
    image: nginx
    ports: ["8095:80"]
    mem_limit: ${memory}
    volumes: ["data:/data", "/unnamed"]
    environment: ["constraint:node==core-02"]
volumes: { data: {} }
`;
    file(text('64m'));
    await call('up', '-d');
    await call('exec', '-T', 'web', 'touch', '/data/kept', '/unnamed/kept');
    file(text('80m'));
    await call('up', '-d');
    expect(await call('exec', '-T', 'web', 'ls', '/data')).toBe('kept');
    await call('up', '-d', '--force-recreate');
    expect(await call('exec', '-T', 'web', 'ls', '/unnamed')).toBe('kept');
    const page = await until('the page', 10_000, async () =>
      (await fetch(`http://${hosts.at(1).ip}:8095/`)).text(),
    );
    expect(page).toContain('nginx');
    const separator = client === '2' ? '-' : '_';
    const web = `shop${separator}web${separator}1`;
    expect(await swarm.docker('inspect', web, '--format', '{{.HostConfig.Memory}}')).toBe(`${80 << 20}`);
    expect(await call('port', 'web', '80')).toBe(`${hosts.at(1).ip}:8095`);
    // The port is the new one's: nobody else gets it.
    const there = ['-p', '8095:80', '-e', 'constraint:node==core-02'];
    const other = await swarm.tryDocker(['create', ...there, 'nginx']);
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('port 8095/tcp in use: core-02')]);
    await call('down', '-v', '-t', '1');
    // A volume without a name that was handed on has one since, and Compose leaves it.
    await swarm.docker('volume', 'prune', '-f');
    expect(await left()).toBe('');
  });

  it('builds images, each on another node, and runs them on one network', async () => {
    const { file, call } = project(client, 'own');
    file(`version: "2.4"
services:
  app: { build: { context: ., args: ["constraint:node==core-01"] }, command: sleep 1000 }
  job: { build: { context: ., args: ["constraint:node==core-02"] }, command: sleep 1000 }
  cache: { image: redis }
`);
    await call('up', '-d');
    for (const service of ['app', 'job'])
      expect(await call('exec', '-T', service, 'cat', '/built')).toBe('built');
    await call('exec', '-T', 'app', 'ping', '-c', '1', 'cache');
    await call('down', '-t', '0', '--rmi', 'local');
    expect(await left()).toBe('');
  });

  it('takes networks and volumes that are there already, and leaves them', async () => {
    const { file, call } = project(client, 'guest');
    file(`version: "3.8"
services:
  web: { image: nginx, networks: [there] }
  app:
    image: busybox
    command: sleep 1000
    depends_on: [web]
    networks: [there]
    volumes: ["kept:/kept"]
networks: { there: { external: true } }
volumes: { kept: { external: true } }
`);
    await swarm.docker('network', 'create', 'core-02/there');
    await swarm.docker('volume', 'create', 'kept');
    await call('up', '-d');
    expect((await ps('{{.Names}}')).split('\n').map((name) => name.split('/')[0])).toEqual([
      'core-02',
      'core-02',
    ]);
    await call('exec', '-T', 'app', 'ping', '-c', '1', 'web');
    await call('down', '-v', '-t', '0');
    await swarm.docker('network', 'rm', 'there');
    await swarm.docker('volume', 'rm', 'kept');
    expect(await left()).toBe('');
  });

  it('brings the example up on the node that it is told, and shows it there', async () => {
    const { file, call } = project(client, 'example', { WEB_NODE: 'core-02' });
    file(readFileSync(EXAMPLE, 'utf8'));
    const separator = client === '2' ? '-' : '_';
    for (const scale of [1, 2]) {
      await call('up', '-d', '--scale', `cache=${scale}`);
      const names = (await ps('{{.Names}}')).split('\n').sort();
      const wanted = ['cache', 'web'].map((one) => `core-02/example${separator}${one}${separator}1`);
      expect(names).toEqual(expect.arrayContaining(wanted));
      expect(names).toHaveLength(1 + scale);
      expect(await call('logs', 'cache')).toContain('Ready to accept connections');
      expect(await call('exec', '-T', 'web', 'env')).not.toContain('constraint');
      await call('down', '-v', '-t', '1');
      expect(await left()).toBe('');
    }
  });

  it('keeps two projects apart, scales, stops and starts', async () => {
    const file = 'version: "2.4"\nservices:\n  web: { image: nginx, ports: ["80"] }\n';
    const [one, two] = [project(client, 'one'), project(client, 'two')];
    one.file(file);
    two.file(file);
    await Promise.all([one.call('up', '-d', '--scale', 'web=2'), two.call('up', '-d')]);
    expect((await one.call('ps', '-q')).split('\n')).toHaveLength(2);
    expect(await one.call('run', '--rm', '-T', 'web', 'echo', 'once')).toContain('once');
    await one.call('stop');
    expect((await two.call('ps', '-q')).split('\n')).toHaveLength(1);
    await one.call('start');
    await Promise.all([one.call('down', '-t', '1'), two.call('down', '-t', '1')]);
    expect(await left()).toBe('');
  });
});
