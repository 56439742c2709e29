import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerClis, startHosts, tryRun, until, type CommandResult, type Hosts } from '../hosts/index.ts';
import { filesIn, makePair, tlsArgs, type TlsFiles } from '../hosts/tls.ts';
import { startSwarm, type Swarm } from './manager.ts';

let hosts: Hosts;
/** An engine without TLS. */
let plainHosts: Hosts;
let swarm: Swarm;
let folder = '';
/** The folder of the hosts' CA. */
let authority = '';
let client: TlsFiles;
/** The manager's: the first engine's, which are good for 127.0.0.1 too; copied, so that they can be renewed. */
let managers: TlsFiles;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skep-tls-'));
  [hosts, plainHosts] = await Promise.all([startHosts({ count: 2, tls: true }), startHosts({ count: 1 })]);
  const { tls, ownTls } = hosts.at(0);
  if (!tls || !ownTls) throw new Error('the hosts have no TLS');
  client = tls;
  authority = join(tls.folder, '..');
  managers = copyOf(ownTls, 'manager');
  const cliArgs = ['--tlsverify', ...tlsArgs(client)];
  swarm = await startSwarm(hosts, { args: ['--tlsverify', ...tlsArgs(managers)], cliArgs });
});

afterAll(async () => {
  await swarm.stop();
  await Promise.all([hosts.close(), plainHosts.close()]);
  rmSync(folder, { recursive: true });
});

const FILES = ['ca', 'key', 'cert'] as const;

function copyOf(files: TlsFiles, name: string): TlsFiles {
  const copies = filesIn(join(folder, name));
  mkdirSync(copies.folder);
  for (const file of FILES) copyFileSync(files[file], copies[file]);
  return copies;
}

/** The docker CLI by DOCKER_CERT_PATH, as people have it. */
function dockerWith(files: TlsFiles, args: readonly string[], cli = 'docker'): Promise<CommandResult> {
  const env = { DOCKER_HOST: swarm.host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: files.folder };
  return tryRun(cli, args, { env });
}

/** Asks for /version; with files, by TLS. Rejects where the connection is refused. */
function ask(files?: TlsFiles, maxVersion?: 'TLSv1.2'): Promise<{ status: number; text: string }> {
  const { port } = new URL(swarm.url);
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port, path: '/version', agent: false as const };
    const req = files
      ? secureRequest({
          ...target,
          ca: readFileSync(client.ca),
          cert: readFileSync(files.cert),
          key: readFileSync(files.key),
          ...(maxVersion ? { maxVersion } : {}),
        })
      : plainRequest(target);
    req.on('error', reject).on('response', (res) => {
      let text = '';
      res.on('data', (chunk: Buffer) => (text += chunk.toString()));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
    });
    req.end();
  });
}

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

  it('is configured by DOCKER_CERT_PATH and its like, with every docker CLI', async () => {
    for (const { path } of await dockerClis()) {
      const { code, stdout } = await dockerWith(client, ['version', '--format', '{{.Server.Version}}'], path);
      expect([code, stdout.trim()]).toEqual([0, expect.stringMatching(/^swarm\//)]);
    }
  });

  it('starts without a word of warning where all is well', () => {
    const [starting] = swarm.log().split('Listening for HTTP');
    expect(starting).not.toMatch(/level=(warning|error)/);
  });

  it('takes renewed files without a restart, for clients and for engines', async () => {
    const renewed = await makePair(authority, { names: 'core-01,127.0.0.1' }, join(folder, 'renewed'));
    for (const file of FILES) copyFileSync(renewed[file], managers[file]);
    await until(
      'the renewed files',
      30_000,
      () => /The TLS files were renewed/.test(swarm.log()) || undefined,
    );
    const shown = await new Promise<string | undefined>((resolve, reject) => {
      const [ca, cert, key] = [client.ca, client.cert, client.key].map((path) => readFileSync(path));
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(swarm.url).port), ca, cert, key });
      socket.once('error', reject).once('secureConnect', () => {
        resolve(socket.getPeerX509Certificate()?.toString());
        socket.destroy();
      });
    });
    expect(shown?.trim()).toBe(readFileSync(renewed.cert, 'utf8').trim());
    const ran = await dockerWith(client, ['run', '--rm', 'busybox', 'echo', 'with new files']);
    expect(ran).toMatchObject({ code: 0, stdout: 'with new files\n' });
  });
});

describe('clients that come with the wrong TLS', () => {
  it('tells a plain client in words', async () => {
    expect(await ask()).toEqual({ status: 400, text: 'Client sent an HTTP request to an HTTPS server.\n' });
    const { code, stderr } = await tryRun('docker', ['-H', swarm.host, 'version']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Client sent an HTTP request to an HTTPS server.');
    // Once a minute for each address: the others of this suite come too soon after it.
    await until(
      'a line in the log',
      10_000,
      () => /Refused a client.*127\.0\.0\.1/.test(swarm.log()) || undefined,
    );
    expect(swarm.log().match(/Refused a client/g)).toHaveLength(1);
  });

  it('refuses a client without a certificate, and one of another CA', async () => {
    const without = await tryRun('docker', [
      ...['-H', swarm.host, '--tlsverify', '--tlscacert', client.ca, 'version'],
    ]);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain('certificate required');
    const stranger = await makePair(
      join(folder, 'other-ca'),
      { names: 'stranger' },
      join(folder, 'stranger'),
    );
    copyFileSync(client.ca, stranger.ca);
    const foreign = await dockerWith(stranger, ['version']);
    expect(foreign.code).not.toBe(0);
    expect(foreign.stderr).toContain('certificate');
    for (const version of [undefined, 'TLSv1.2'] as const) {
      const { status, text } = await ask(stranger, version);
      expect(status).toBe(403);
      expect(JSON.parse(text)).toEqual({
        message: "client certificate refused: it is not signed by this manager's CA",
      });
    }
  });

  it('tells a client whose certificate is out of its time', async () => {
    for (const [name, days, why] of [
      ['expired', [-9, -1], 'it has expired'],
      ['early', [2, 9], 'it is not valid yet'],
    ] as const) {
      const files = await makePair(authority, { names: name, days }, join(folder, name));
      const { code, stderr } = await dockerWith(files, ['version']);
      expect(code).not.toBe(0);
      expect(stderr).toContain(`client certificate refused: ${why}`);
    }
  });
});

/** What `docker info` gives as the trouble of each node, by address. */
async function troubles(info: () => Promise<string>): Promise<Map<string, string>> {
  const lines = (JSON.parse(await info()) as { SystemStatus: [string, string][] }).SystemStatus;
  const found = new Map<string, string>();
  let address = '';
  for (const [key, value] of lines) {
    if (key.startsWith(' ') && !key.includes('└')) address = value;
    if (key.endsWith('Error') && value !== '(none)') found.set(address, value);
  }
  return found;
}

describe('engines that come with the wrong TLS', () => {
  /** Stands for an engine: none is ever reached behind such a handshake. */
  async function serverWith(files: TlsFiles): Promise<Server> {
    const [cert, key] = [readFileSync(files.cert), readFileSync(files.key)];
    const server = createServer({ cert, key }, (socket) => socket.on('error', () => undefined).end());
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  it('are Pending, and the node says what is wrong and what to do', async () => {
    const other = join(folder, 'other-ca');
    const servers = await Promise.all(
      (
        [
          [other, { names: '127.0.0.1' }],
          [authority, { names: '127.0.0.1', days: [-9, -1] }],
          [authority, { names: '127.0.0.1', days: [2, 9] }],
          [authority, { names: 'core-09,10.9.9.9' }],
        ] as const
      ).map(async ([ca, wish], at) => serverWith(await makePair(ca, wish, join(folder, `engine-${at}`)))),
    );
    try {
      const ports = servers.map((server) => (server.address() as AddressInfo).port);
      const addresses = [
        ...ports.map((port) => `127.0.0.1:${port}`),
        plainHosts.addresses,
        hosts.at(0).address,
      ];
      // Of another CA than the engines have, and yet it trusts theirs.
      const stray = await makePair(other, { names: 'manager,127.0.0.1' }, join(folder, 'stray'));
      const args = ['--tlsverify', ...tlsArgs({ ...stray, ca: client.ca })];
      const cliArgs = ['--tlsverify', ...tlsArgs({ ...client, ca: join(other, 'ca.pem') })];
      const discovery = `nodes://${addresses.join(',')}`;
      await using manager = await startSwarm(undefined, { args, cliArgs, discovery });
      const info = (): Promise<string> => manager.docker('info', '--format', '{{json .}}');
      const found = await until('a reason for each', 30_000, async () => {
        const reasons = await troubles(info);
        return reasons.size === addresses.length ? reasons : undefined;
      });
      const expected = [
        'its certificate is not signed by the CA of --tlscacert',
        'its certificate, or the CA that signed it, has expired',
        'its certificate is not valid yet',
        'its certificate has no name for 127.0.0.1 (it has: core-09, 10.9.9.9',
        'it speaks plain HTTP, this manager TLS: start its dockerd with --tlsverify',
        "it refuses this manager's certificate (",
      ];
      expect(addresses.map((address) => found.get(address))).toEqual(
        expected.map((words): unknown => expect.stringContaining(words)),
      );
      for (const reason of found.values()) expect(reason).not.toContain('\n');
      expect(manager.log()).toMatch(
        /level=warning msg="the certificate of --tlscert .* is not signed by the CA/,
      );
      expect(await manager.docker('info')).toContain('Status: Pending');
    } finally {
      for (const server of servers) server.close();
    }
  });

  it('are Pending where they speak TLS and the manager does not; a TLS client hears of it too', async () => {
    await using plain = await startSwarm(hosts, { healthy: 0 });
    const reason = await until('a reason', 20_000, async () => {
      const info = async (): Promise<string> => (await fetch(`${plain.url}/info`)).text();
      return (await troubles(info)).get(hosts.at(0).address);
    });
    expect(reason).toContain('it speaks TLS, this manager does not: start the manager with --tlsverify');
    const { code, stderr } = await tryRun('docker', [
      '-H',
      plain.host,
      '--tlsverify',
      ...tlsArgs(client),
      'version',
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('server gave HTTP response to HTTPS client');
    await until(
      'a line in the log',
      10_000,
      () => /Refused a client.*it speaks TLS/.test(plain.log()) || undefined,
    );
  });
});

describe('an engine by its unix socket', () => {
  it('is an engine like another', async () => {
    const [host] = plainHosts.all;
    await using local = await startSwarm(plainHosts, { discovery: `nodes://unix://${host?.socket ?? ''}` });
    expect(await local.docker('run', '--rm', 'busybox', 'echo', 'by socket')).toBe('by socket');
  });
});
