import { join } from 'node:path';
import { connect, type SecureContextOptions } from 'node:tls';
import { expect } from 'vitest';
import { readNodeCertificate } from '../../src/daemon/node-certificate.ts';
import { MemberFolder } from '../../src/ensemble/index.ts';
import type { ManagerSwarm } from './manager-swarm.ts';

/** The folder of the member of etcd that swarmd runs on a host. */
export function memberFolder(swarm: ManagerSwarm, index: number): MemberFolder {
  return new MemberFolder(join(swarm.at(index).stateDirHere, 'etcd'));
}

/** Both ports of a host's member open for its own certificate, and neither for that of a worker's engine, or for none. */
export async function expectClosed(
  swarm: ManagerSwarm,
  member: number,
  { worker }: { readonly worker: number },
): Promise<void> {
  const engine = swarm.hosts.at(worker);
  const { certPem, keyPem } = readNodeCertificate(
    `/proc/${engine.initPid}/root${engine.diskFolder('docker')}`,
  );
  const own = memberFolder(swarm, member).certificates.clientTls();
  const { ip } = swarm.hosts.at(member);
  for (const [port, path] of [
    [2387, '/version'],
    [2388, '/members'],
  ] as const) {
    const allowed = { cert: own.cert, key: own.key } as SecureContextOptions;
    expect(await asked(ip, port, path, allowed)).toContain('200 OK');
    for (const tls of [{ cert: certPem, key: keyPem }, {}])
      expect(await asked(ip, port, path, tls)).toMatch(/^refused: .*(alert|ECONNRESET)/);
  }
}

/** What a server says to a request over TLS with these certificates, or how it refuses them. */
function asked(host: string, port: number, path: string, tls: SecureContextOptions): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host, port, rejectUnauthorized: false, ...tls });
  let text = '';
  socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy());
  socket.on('secureConnect', () =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n`),
  );
  socket.on('data', (more: string) => (text += more));
  socket.on('error', (error: Error) => resolve(`refused: ${error.message}`));
  socket.on('close', () => resolve(text));
  return promise;
}
