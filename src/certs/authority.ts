import {
  createPrivateKey,
  createPublicKey,
  randomBytes,
  webcrypto,
  type KeyObject,
  type X509Certificate,
} from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileReason } from '../base/file-reason.ts';
import { SwarmError } from '../base/errors.ts';
import { selfSigned, type Signer } from './issue.ts';
import { dayOf, validityAt } from './judge.ts';
import { readCertificates, readPrivateKey } from './pem.ts';
import { createFile, ensureFolder } from './safe-files.ts';
import { CERTIFICATE_KEY, keyPem, newKeyPair, signingKey } from './x509.ts';

/** A CA that can sign, and where it is. */
export interface Authority extends Signer {
  /** What peers are given to check with: the whole of `ca.pem`. */
  bundle: string;
  certPath: string;
  keyPath: string;
  /** Whether this run made it. */
  made: boolean;
  /** Whether others than its owner can read the key. */
  keyIsOpen: boolean;
}

const CERT_NAME = 'ca.pem';
/** Where a CA's key is: as we name it, and as guides of docker do. */
const KEY_NAMES = ['ca-key.pem', 'ca-priv-key.pem'] as const;
const CA_YEARS = 10;
const YEAR_MS = 365.25 * 24 * 3600_000;
/** How far behind the clocks of others may be. */
export const BACKDATED_MS = 5 * 60_000;

/**
 * The CA of a folder, made where there is none. Throws `unavailable` where what is there cannot sign: no key beside the
 * certificate, a key of another one, no CA, out of its time.
 */
export async function openAuthority(folder: string, nowMs: number): Promise<Authority> {
  ensureFolder(folder);
  const keyPaths = KEY_NAMES.map((name) => join(folder, name));
  const certPath = join(folder, CERT_NAME);
  const made = readIfThere(certPath) === undefined && (await make(certPath, keyPaths, nowMs));
  const bundle = readIfThere(certPath) ?? '';
  const held = keyPaths.flatMap((path) => {
    const text = readIfThere(path);
    return text === undefined ? [] : [{ path, key: readPrivateKey(text, path) }];
  });
  if (held.length === 0)
    throw new SwarmError(
      'unavailable',
      `${certPath} has no key beside it: ${KEY_NAMES.join(' or ')} is needed to sign`,
    );
  const certificates = readCertificates(bundle, certPath);
  for (const { path, key } of held) {
    const certificate = certificates.find((one) => one.checkPrivateKey(key));
    if (!certificate) continue;
    refuseUnfit(certificate, certPath, nowMs);
    const keyIsOpen = (statSync(path).mode & 0o077) !== 0;
    return {
      certificate,
      key: await signingKey(key, path),
      bundle,
      certPath,
      keyPath: path,
      made,
      keyIsOpen,
    };
  }
  const paths = held.map(({ path }) => path).join(', ');
  throw new SwarmError('unavailable', `${paths} is not the key of ${certPath}: they are not of one pair`);
}

/** Makes what is missing of a CA, the key first; whatever an earlier or another run has made so far stays. */
async function make(certPath: string, keyPaths: readonly string[], nowMs: number): Promise<boolean> {
  const [keyPath = ''] = keyPaths;
  if (keyPaths.every((path) => readIfThere(path) === undefined))
    createFile(keyPath, { text: await keyPem((await newKeyPair()).privateKey), mode: 0o600 });
  const alone = keyPaths.find((path) => readIfThere(path) !== undefined) ?? keyPath;
  const key = readPrivateKey(readIfThere(alone) ?? '', alone);
  // Such a key is what a run that was interrupted leaves; any other one belongs to a certificate somewhere else.
  if (alone !== keyPath || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new SwarmError(
      'unavailable',
      `${alone} has no ${CERT_NAME} beside it: put its certificate there, or take it away`,
    );
  const commonName = `Skep CA ${randomBytes(4).toString('hex')}`;
  const times = { fromMs: nowMs - BACKDATED_MS, untilMs: nowMs + CA_YEARS * YEAR_MS };
  const text = await selfSigned(await keyPairOf(key), { commonName, ...times });
  return createFile(certPath, { text, mode: 0o644 });
}

async function keyPairOf(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const { subtle } = webcrypto;
  const spki = createPublicKey(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' }))).export({
    type: 'spki',
    format: 'der',
  });
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  return {
    privateKey: await subtle.importKey('pkcs8', pkcs8, CERTIFICATE_KEY, false, ['sign']),
    publicKey: await subtle.importKey('spki', spki, CERTIFICATE_KEY, true, ['verify']),
  };
}

function refuseUnfit(certificate: X509Certificate, path: string, nowMs: number): void {
  const refuse = (why: string): SwarmError => new SwarmError('unavailable', `${path}: ${why}`);
  if (!certificate.ca)
    throw refuse(
      'not a CA certificate, what it signs is worth nothing (basicConstraints CA:TRUE is missing)',
    );
  const validity = validityAt(certificate, nowMs);
  if (validity === 'expired')
    throw refuse(`the CA expired on ${dayOf(certificate.validToDate)}. Make a new one in another folder`);
  if (validity === 'early')
    throw refuse(
      `the CA is valid from ${dayOf(certificate.validFromDate)} only. Is this machine's clock right?`,
    );
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new SwarmError('unavailable', `cannot read ${path}: ${fileReason(error)}`);
  }
}
