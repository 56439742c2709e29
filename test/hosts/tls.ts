import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './shell.ts';

/** Files as `docker --tlscacert … --tlscert … --tlskey …` takes them; the folder suits DOCKER_CERT_PATH. */
export interface TlsFiles {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate authority and a client certificate in `folder`. */
export async function makeAuthority(folder: string): Promise<TlsFiles> {
  mkdirSync(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  const subject = ['-subj', '/CN=skep test hosts', '-days', '2', '-nodes', '-newkey', 'ec'];
  const curve = ['-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const out = ['-keyout', path('ca-key.pem'), '-out', path('ca.pem')];
  await run('openssl', ['req', '-x509', ...subject, ...curve, ...out]);
  await issue(folder, 'client', 'extendedKeyUsage=clientAuth');
  return { folder, ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem') };
}

/** A certificate for one engine, valid for its address and name. */
export async function issueServer(
  authority: TlsFiles,
  name: string,
  ip: string,
): Promise<{ cert: string; key: string }> {
  const names = `subjectAltName=IP:${ip},IP:127.0.0.1,DNS:${name}`;
  return issue(authority.folder, name, `extendedKeyUsage=serverAuth,clientAuth\n${names}`);
}

async function issue(
  folder: string,
  name: string,
  extensions: string,
): Promise<{ cert: string; key: string }> {
  const prefix = name === 'client' ? '' : `${name}-`;
  const [cert, key] = [join(folder, `${prefix}cert.pem`), join(folder, `${prefix}key.pem`)];
  const request = join(folder, `${name}.csr`);
  const extFile = join(folder, `${name}.ext`);
  writeFileSync(extFile, `${extensions}\n`);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', ['req', ...newKey, '-subj', `/CN=${name}`, '-keyout', key, '-out', request]);
  const authority = ['-CA', join(folder, 'ca.pem'), '-CAkey', join(folder, 'ca-key.pem')];
  const serial = ['-set_serial', `0x${Buffer.from(name).toString('hex').slice(0, 30)}`];
  await run('openssl', [
    'x509',
    '-req',
    ...['-in', request, ...authority, ...serial, '-days', '2', '-extfile', extFile, '-out', cert],
  ]);
  return { cert, key };
}
