import { readFileSync } from 'node:fs';
import { fileReason } from '../base/file-reason.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { readCertificates, readPrivateKey } from './pem.ts';
import type { FlagValues } from '../base/flags.ts';
import { refuseOutOfTime } from './tls-findings.ts';

/** PEM bytes, read and checked; `verify` asks every peer for a certificate of `ca`. They change in place when renewed. */
export interface TlsFiles {
  ca?: Buffer;
  cert: Buffer;
  key: Buffer;
  verify: boolean;
  readonly paths: TlsPaths;
}

/** Where they were read. */
export interface TlsPaths {
  ca?: string;
  cert: string;
  key: string;
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
  const paths = { ...(ca ? { ca } : {}), cert, key };
  const files = { ...loadTlsFiles(paths), verify, paths };
  refuseOutOfTime(files, Date.now());
  return files;
}

/** Reads the files and sees that they fit one another. Throws `unavailable`, naming the file. */
export function loadTlsFiles(paths: TlsPaths): Pick<TlsFiles, 'ca' | 'cert' | 'key'> {
  const pair = loadPair(paths.cert, paths.key);
  return { ...pair, ...(paths.ca === undefined ? {} : { ca: loadCa(paths.ca) }) };
}

function loadPair(certPath: string, keyPath: string): { cert: Buffer; key: Buffer } {
  const prefix = `Couldn't load X509 key pair (${certPath}, ${keyPath})`;
  const cert = read(certPath, prefix);
  const key = read(keyPath, prefix);
  const [certificate] = saying(prefix, () => readCertificates(cert, certPath));
  const privateKey = saying(prefix, () => readPrivateKey(key, keyPath));
  if (!certificate.checkPrivateKey(privateKey))
    throw new SwarmError('unavailable', `${prefix}: private key does not match public key`);
  // OpenSSL refuses more than that, such as a key that is too short.
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  saying(prefix, () => createSecureContext({ cert, key }));
  return { cert, key };
}

function loadCa(path: string): Buffer {
  const prefix = "Couldn't read CA certificate";
  const ca = read(path, prefix);
  saying(prefix, () => readCertificates(ca, path));
  return ca;
}

function read(path: string, prefix: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new SwarmError('unavailable', `${prefix}: open ${path}: ${fileReason(error)}`);
  }
}

function saying<T>(prefix: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new SwarmError('unavailable', `${prefix}: ${messageOf(error)}`);
  }
}
