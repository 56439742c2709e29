import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileReason } from '../base/file-reason.ts';
import { SwarmError } from '../base/errors.ts';
import type { FlagValues } from './flags.ts';

/** PEM bytes, read and checked; `verify` asks every peer for a certificate of `ca`. */
export interface TlsFiles {
  ca?: Buffer;
  cert: Buffer;
  key: Buffer;
  verify: boolean;
}

/**
 * What the `--tls…` flags say; undefined without TLS. Throws `invalid` where they do not fit together and `unavailable`,
 * naming the file, where one cannot be read or used.
 */
export function tlsFiles(values: FlagValues): TlsFiles | undefined {
  const verify = values.bool('tlsverify');
  const ca = values.text('tlscacert');
  const cert = values.text('tlscert');
  const key = values.text('tlskey');
  if (!verify && !values.bool('tls')) {
    if (ca || cert || key)
      throw new SwarmError(
        'invalid',
        '--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify',
      );
    return undefined;
  }
  if (!cert || !key)
    throw new SwarmError('invalid', '--tlscert and --tlskey must be provided when using --tls');
  if (verify && !ca) throw new SwarmError('invalid', '--tlscacert must be provided when using --tlsverify');
  const pair = loadPair(cert, key);
  return { ...pair, ...(ca ? { ca: loadCa(ca) } : {}), verify };
}

function loadPair(certPath: string, keyPath: string): { cert: Buffer; key: Buffer } {
  const refuse = (why: string): SwarmError =>
    new SwarmError('unavailable', `Couldn't load X509 key pair (${certPath}, ${keyPath}): ${why}`);
  const cert = read(certPath, refuse);
  const key = read(keyPath, refuse);
  const certificate = usable(() => new X509Certificate(cert));
  if (!certificate) throw refuse(`${certPath}: no certificate in PEM form in it`);
  const privateKey = usable(() => createPrivateKey(key));
  if (!privateKey) throw refuse(`${keyPath}: no private key in PEM form in it. Key encrypted?`);
  if (!certificate.checkPrivateKey(privateKey)) throw refuse('private key does not match public key');
  return { cert, key };
}

function loadCa(path: string): Buffer {
  const refuse = (why: string): SwarmError =>
    new SwarmError('unavailable', `Couldn't read CA certificate: ${why}`);
  const ca = read(path, refuse);
  if (!usable(() => new X509Certificate(ca))) throw refuse(`${path}: no certificate in PEM form in it`);
  return ca;
}

function read(path: string, refuse: (why: string) => SwarmError): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw refuse(`open ${path}: ${fileReason(error)}`);
  }
}

function usable<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
