import { connect, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { createCluster as createSwarm } from '../../src/ca/new-cluster.ts';
import { issueManagerCertificate } from '../../src/ca/node-certificate.ts';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { createEnsembleCa, type LocalMember, type MemberFolder } from '../../src/ensemble/index.ts';
import { createCluster, EtcdClient, findCluster } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { asked, firstFolder, memberFolder, serving } from './member-place.ts';

const LATEST_MS = 20_000;
const YEAR_MS = 365 * 24 * 3600_000;

interface Shown {
  readonly cert?: string;
  readonly key?: string;
}

/**
 * What comes of showing a certificate at a port and asking for something: with TLS 1.3 the refusal comes behind the handshake.
 * 'answered' or the reason.
 */
async function outcome(port: number, ca: string, shown: Shown): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['http/1.1'], ...shown });
  const late = setTimeout(() => resolve('silence'), LATEST_MS);
  onTestFinished(() => clearTimeout(late));
  let text = '';
  socket.once('secureConnect', () =>
    socket.write('GET /version HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n'),
  );
  socket.on('data', (data: Buffer) => {
    text += data.toString();
    if (text.startsWith('HTTP/')) resolve('answered');
  });
  socket.once('error', (error: Error) => resolve(error.message));
  socket.once('close', () => resolve('closed'));
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}

const read = (
  folder: MemberFolder,
  pair: 'server' | 'peer' | 'client',
): Required<Shown> & { ca: string } => ({
  ca: readFileSync(folder.certificates.path(pair, 'ca'), 'utf8'),
  cert: readFileSync(folder.certificates.path(pair, 'cert'), 'utf8'),
  key: readFileSync(folder.certificates.path(pair, 'key'), 'utf8'),
});

const ports = ({ config }: LocalMember): number[] => [config.ports.client, config.ports.peer];

it('refuses certificates of the swarm, managers and workers alike, and none, on both of its ports', async () => {
  const { folder } = await firstFolder();
  const { member } = await serving(folder);
  const { ca, ...own } = read(folder, 'client');
  const swarm = await createSwarm({}, Date.now());
  const manager = await issueManagerCertificate(swarm, 'node1', Date.now());
  const strangers: Shown[] = [
    {},
    { cert: manager.certPem, key: manager.keyPem },
    // The swarm's root itself.
    { cert: swarm.rootCa.certPem, key: swarm.rootCa.keyPem },
  ];
  for (const port of ports(member)) {
    expect(await outcome(port, ca, own)).toBe('answered');
    for (const shown of strangers)
      expect(await outcome(port, ca, shown)).toMatch(/alert|certificate|ECONNRESET/i);
  }
  const stranger = new EtcdClient({
    endpoints: [`127.0.0.1:${member.config.ports.client}`],
    tls: { ca, cert: manager.certPem, key: manager.keyPem },
  });
  onTestFinished(() => stranger.close());
  await expect(stranger.status({ ...asked(), deadlineMs: 2_000 })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('it does not accept our certificate') as string,
  });
});

it('knows nobody of another etcd', async () => {
  const { folder } = await firstFolder();
  const { member } = await serving(folder);
  const other = memberFolder();
  other.certificates.keepCa(await createEnsembleCa(Date.now()));
  await other.certificates.ensure('127.0.0.1', Date.now());
  const { cert, key } = read(other, 'client');
  for (const port of ports(member))
    expect(await outcome(port, read(folder, 'client').ca, { cert, key })).toMatch(
      /alert|certificate|ECONNRESET/i,
    );
});

it('has the addresses of its host in its certificates, and renews them at half of their life while etcd runs', async () => {
  const { folder } = await firstFolder('one', Date.now() - 3 * YEAR_MS);
  let behindMs = YEAR_MS * 0.6;
  const times = { ...SYSTEM_TIMES, wallMs: () => Date.now() - behindMs };
  const { member } = await serving(folder, { times });
  const client = member.client();
  onTestFinished(() => client.close());
  await createCluster(client, '/skep', 'swarm1', asked());
  const { certificates } = folder;
  const first = new X509Certificate(read(folder, 'server').cert);
  expect(first.subjectAltName).toBe('IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
  expect(first.ca).toBe(false);
  expect(await certificates.ensure('127.0.0.1', times.wallMs())).toEqual([]);
  behindMs = 0;
  expect(await certificates.ensure('127.0.0.1', times.wallMs())).toEqual(['server', 'peer', 'client']);
  const second = new X509Certificate(read(folder, 'server').cert);
  expect(second.validToDate.getTime()).toBeGreaterThan(first.validToDate.getTime());
  // What it shows to a new connection is the new one.
  await until('it shows the new certificate', LATEST_MS, async () => {
    const { ca, cert, key } = read(folder, 'client');
    const socket = connect({ host: '127.0.0.1', port: member.config.ports.client, ca, cert, key });
    onTestFinished(() => void socket.destroy());
    await new Promise((done, failed) => socket.once('secureConnect', done).once('error', failed));
    return socket.getPeerX509Certificate()?.fingerprint256 === second.fingerprint256 ? true : undefined;
  });
  expect(await certificates.ensure('192.0.2.7', times.wallMs())).toEqual(['server', 'peer']);
  expect(read(folder, 'server').cert).not.toBe(second.toString());
  expect(new X509Certificate(read(folder, 'peer').cert).checkIP('192.0.2.7')).toBe('192.0.2.7');
  const again = member.client();
  onTestFinished(() => again.close());
  expect(await findCluster(again, '/skep', asked())).toBe('swarm1');
});

it('comes back after years, its certificates long expired', async () => {
  const { folder } = await firstFolder('one', Date.now() - 3 * YEAR_MS);
  const { certificates } = folder;
  await certificates.ensure('127.0.0.1', Date.now() - 2 * YEAR_MS);
  expect(new X509Certificate(read(folder, 'client').cert).validToDate.getTime()).toBeLessThan(Date.now());
  const { member } = await serving(folder);
  const client = member.client();
  onTestFinished(() => client.close());
  await createCluster(client, '/skep', 'swarm1', asked());
});
