import { readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { X509Certificate } from 'node:crypto';
import { messageOf } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import type { MadePair } from './issue.ts';
import { coversName, dayOf, isSignedBy, mayServeAs, validityAt, type Usage } from './judge.ts';
import type { CertName } from './names.ts';
import { readCertificates, readPrivateKey } from './pem.ts';
import type { NewFile } from './safe-files.ts';

/** What a pair must be good for to be kept. */
export interface PairWish {
  authority: X509Certificate;
  names: readonly CertName[];
  usages: readonly Usage[];
}

/** What is in a pair's place. */
export type FoundPair =
  { kind: 'none' } | { kind: 'good'; certificate: X509Certificate } | { kind: 'unfit'; why: string };

export const PAIR_FILES = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' } as const;

/** Looks at what is where a pair belongs. `why` is a half sentence that names the file. */
export function findPair(folder: string, wish: PairWish, nowMs: number): FoundPair {
  const paths = Object.values(PAIR_FILES).map((name) => join(folder, name));
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length === paths.length) return { kind: 'none' };
  if (missing.length > 0) return { kind: 'unfit', why: `${missing.join(', ')} missing` };
  try {
    return judgePair(folder, wish, nowMs);
  } catch (error) {
    return { kind: 'unfit', why: messageOf(error) };
  }
}

function judgePair(folder: string, wish: PairWish, nowMs: number): FoundPair {
  const path = (file: keyof typeof PAIR_FILES): string => join(folder, PAIR_FILES[file]);
  const chain = readCertificates(read(path('cert')), path('cert'));
  const [certificate] = chain;
  const unfit = (why: string): FoundPair => ({ kind: 'unfit', why: `${path('cert')} ${why}` });
  const authorities = readCertificates(read(path('ca')), path('ca'));
  if (!certificate.checkPrivateKey(readPrivateKey(read(path('key')), path('key'))))
    return unfit(`does not fit ${PAIR_FILES.key} beside it`);
  if (!isSignedBy(chain, [wish.authority])) return unfit('is signed by another CA');
  if (!authorities.some(({ fingerprint256 }) => fingerprint256 === wish.authority.fingerprint256))
    return { kind: 'unfit', why: `${path('ca')} does not have the CA that signs here` };
  const validity = validityAt(certificate, nowMs);
  if (validity === 'expired') return unfit(`expired on ${dayOf(certificate.validToDate)}`);
  if (validity === 'early') return unfit(`is valid from ${dayOf(certificate.validFromDate)} only`);
  const lacking = wish.names.map(({ value }) => value).filter((name) => !coversName(certificate, name));
  if (lacking.length > 0) return unfit(`is not valid for ${lacking.join(', ')}`);
  const useless = wish.usages.find((usage) => !mayServeAs(certificate, usage));
  return useless ? unfit(`is not made for a TLS ${useless}`) : { kind: 'good', certificate };
}

/** A pair as files, the key first: who sees the certificate can count on the key. */
export function pairFiles({ cert, key }: MadePair, bundle: string): NewFile[] {
  return [
    { name: PAIR_FILES.key, text: key, mode: 0o600 },
    { name: PAIR_FILES.cert, text: cert, mode: 0o644 },
    { name: PAIR_FILES.ca, text: bundle, mode: 0o644 },
  ];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${path}: ${fileReason(error)}`, { cause: error });
  }
}
