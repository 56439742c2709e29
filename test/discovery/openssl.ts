import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreOptions } from '../../src/discovery/index.ts';
import { run } from '../hosts/index.ts';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate authority, made by openssl as a user's own would be: files in `folder`. */
export async function makeCa(folder: string, name: string): Promise<Pair> {
  const [cert, key] = [join(folder, `${name}-ca.pem`), join(folder, `${name}-ca-key.pem`)];
  await run('openssl', [
    ...['req', '-x509', '-subj', `/CN=${name}`, '-days', '2', ...NEW_KEY],
    ...['-keyout', key, '-out', cert],
  ]);
  return { cert, key };
}

/** A certificate with these extensions; with negative days one that has expired. */
export async function makePair(
  folder: string,
  ca: Pair,
  wish: { name: string; extensions: readonly string[]; days?: number },
): Promise<Pair> {
  const path = (suffix: string): string => join(folder, `${wish.name}${suffix}`);
  const [cert, key, request, file] = [path('.pem'), path('-key.pem'), path('.csr'), path('.ext')];
  writeFileSync(file, `${wish.extensions.join('\n')}\n`);
  await run('openssl', ['req', ...NEW_KEY, '-subj', `/CN=${wish.name}`, '-keyout', key, '-out', request]);
  await run('openssl', [
    ...['x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key],
    ...['-set_serial', `0x${Buffer.from(wish.name).toString('hex')}`, '-days', `${wish.days ?? 2}`],
    ...['-extfile', file, '-out', cert],
  ]);
  return { cert, key };
}

/** What `--discovery-opt` reads from these files. */
export function storeTls(ca: Pair, pair: Pair): NonNullable<StoreOptions['tls']> {
  return { ca: readFileSync(ca.cert), cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
}
