import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, tryRun, until, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';

let hosts: Hosts;
let swarm: Swarm;

/** The manager's own pair: the first host's certificate is good for 127.0.0.1 too, as server and as client. */
function managerArgs(): string[] {
  const folder = hosts.at(0).tls?.folder ?? '';
  const own = hosts.at(0).name;
  return [
    '--tlsverify',
    `--tlscacert=${join(folder, 'ca.pem')}`,
    `--tlscert=${join(folder, `${own}-cert.pem`)}`,
    `--tlskey=${join(folder, `${own}-key.pem`)}`,
  ];
}

function clientArgs(): string[] {
  const { ca = '', cert = '', key = '' } = hosts.at(0).tls ?? {};
  return ['--tlsverify', '--tlscacert', ca, '--tlscert', cert, '--tlskey', key];
}

beforeAll(async () => {
  hosts = await startHosts({ count: 2, tls: true });
  swarm = await startSwarm(hosts, { args: managerArgs(), cliArgs: clientArgs() });
});

afterAll(async () => {
  await swarm.stop();
  await hosts.close();
});

describe('TLS between clients, manager and engines', () => {
  it('runs a container and streams through it, half-closes included', async () => {
    await swarm.docker('run', '-d', '--name', 'secure', 'busybox', 'sleep', '1000');
    expect(await swarm.docker('ps', '--format', '{{.Names}}')).toMatch(/^core-0[12]\/secure$/);
    const echoed = await swarm.tryDocker(['exec', '-i', 'secure', 'cat'], { input: 'through TLS twice\n' });
    expect(echoed).toEqual({ code: 0, stdout: 'through TLS twice\n', stderr: '' });
    const long = 'x'.repeat(1_000_000);
    expect((await swarm.tryDocker(['exec', '-i', 'secure', 'cat'], { input: long })).stdout).toBe(long);
    await swarm.docker('rm', '-f', 'secure');
  });

  it('is configured by DOCKER_CERT_PATH and its like too', async () => {
    const env = {
      DOCKER_HOST: swarm.host,
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: hosts.at(0).tls?.folder,
    };
    const { code, stdout } = await tryRun('docker', ['version', '--format', '{{.Server.Version}}'], { env });
    expect([code, stdout.trim()]).toEqual([0, expect.stringMatching(/^swarm\//)]);
  });

  it('tells a plain client in words', async () => {
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const req = request(`${swarm.url}/version`, (res) => {
        let text = '';
        res.on('data', (chunk: Buffer) => (text += chunk.toString()));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
      });
      req.on('error', reject).end();
    });
    expect(answer).toEqual({ status: 400, text: 'Client sent an HTTP request to an HTTPS server.\n' });
    const { code, stderr } = await tryRun('docker', ['-H', swarm.host, 'version']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Client sent an HTTP request to an HTTPS server.');
  });

  it('refuses a client without a certificate', async () => {
    const { code, stderr } = await tryRun('docker', [
      '-H',
      swarm.host,
      ...clientArgs().slice(0, 3),
      'version',
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/certificate|tls|handshake/i);
  });

  it('keeps engines Pending whose port speaks TLS while it does not, with a hint', async () => {
    await using plain = await startSwarm(hosts, { healthy: 0 });
    const status = await until('a reason', 20_000, async () => {
      const info = (await (await fetch(`${plain.url}/info`)).json()) as { SystemStatus: [string, string][] };
      return info.SystemStatus.find(([key, value]) => key.endsWith('Error') && value !== '(none)')?.[1];
    });
    expect(status).toMatch(/HTTPS|TLS/);
  });
});

describe('an engine by its unix socket', () => {
  it('is an engine like another', async () => {
    await using plainHosts = await startHosts({ count: 1 });
    const [host] = plainHosts.all;
    await using local = await startSwarm(plainHosts, { discovery: `nodes://unix://${host?.socket ?? ''}` });
    expect(await local.docker('run', '--rm', 'busybox', 'echo', 'by socket')).toBe('by socket');
  });
});
