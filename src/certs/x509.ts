import { webcrypto, type KeyObject } from 'node:crypto';
import type * as X509 from '@peculiar/x509';
import { SwarmError } from '../base/errors.ts';

/** The library that writes certificates: loaded when one is made, because reading and judging them is Node's own. */
export async function loadX509(): Promise<typeof X509> {
  // Its dependency injection wants this to be there first.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

export const CERTIFICATE_KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A new ECDSA key on P-256, which every TLS of today has. */
export async function newKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(CERTIFICATE_KEY, true, ['sign', 'verify']);
}

/** The private half as PKCS#8 in PEM. */
export async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** What curves are called, and the hash that is as strong. */
const CURVES: Readonly<Record<string, { namedCurve: string; hash: string }>> = {
  prime256v1: { namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { namedCurve: 'P-521', hash: 'SHA-512' },
};
const RSA_MIN_BITS = 2048;

/** A CA's key, ready to sign. Throws `unavailable`, beginning with `where`, for kinds that TLS of today does not take. */
export async function signingKey(key: KeyObject, where: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey(
    'pkcs8',
    key.export({ type: 'pkcs8', format: 'der' }),
    algorithmOf(key, where),
    false,
    ['sign'],
  );
}

function algorithmOf(
  key: KeyObject,
  where: string,
): webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams {
  const details = key.asymmetricKeyDetails;
  const curve = CURVES[details?.namedCurve ?? ''];
  if (key.asymmetricKeyType === 'ec' && curve) return { name: 'ECDSA', ...curve };
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    if (bits < RSA_MIN_BITS)
      throw new SwarmError(
        'unavailable',
        `${where}: an RSA key of ${bits} bits is too short, TLS wants ${RSA_MIN_BITS}`,
      );
    return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  }
  throw new SwarmError(
    'unavailable',
    `${where}: RSA and ECDSA (P-256, P-384, P-521) keys can sign here, others not`,
  );
}
