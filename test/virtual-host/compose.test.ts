import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureComposeV2, run, startHosts, until, type Hosts, noDockerConfig } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';

let hosts: Hosts;
let swarm: Swarm;
const clients = new Map<string, string>([['1.29', 'docker-compose']]);
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
function project(client: string, name: string): Project {
  const folder = join(root, `${client}-${name}`);
  mkdirSync(folder, { recursive: true });
  // Builds that go where the scheduler says, as those of Compose 1 do.
  const env = { DOCKER_HOST: swarm.host, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: noDockerConfig };
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

describe.each(['1.29', '2'])('Compose %s', (client) => {
  it('makes a service with a published port anew where it is, with its volumes', async () => {
    const { file, call } = project(client, 'shop');
    const text = (memory: string): string => `version: "2.4"
services:
  web:
    image: nginx
    ports: ["8095:80"]
    mem_limit: ${memory}
    volumes: ["data:/data"]
    environment: ["constraint:node==core-02"]
volumes: { data: {} }
`;
    file(text('64m'));
    await call('up', '-d');
    await call('exec', '-T', 'web', 'touch', '/data/kept');
    file(text('80m'));
    await call('up', '-d');
    expect(await call('exec', '-T', 'web', 'ls', '/data')).toBe('kept');
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
