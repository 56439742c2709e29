import { createHash, webcrypto } from 'node:crypto';
import { SwarmError } from '../base/errors.ts';
import { CERTIFICATE_KEY, loadX509 } from '../certs/index.ts';

/** What is taken of a request for a certificate: the key. Who it is for is never the requester's to say. */
export interface CertificateRequest {
  readonly publicKey: webcrypto.CryptoKey;
  /** SHA-256 of the key, hex: one key, one node. */
  readonly keyId: string;
}

/** An agent's has about 500 bytes. */
const CSR_MAX_BYTES = 8 * 1024;
const PEM =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----\s+([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;

/**
 * Reads a request (PKCS#10 in PEM) that its holder of the key has signed. Throws `invalid` for anything else, and for keys
 * that no engine makes: only ECDSA on P-256 is taken.
 */
export async function readCsr(pem: Uint8Array): Promise<CertificateRequest> {
  if (pem.length > CSR_MAX_BYTES) throw new SwarmError('invalid', 'the certificate request is too long');
  const [, base64] = PEM.exec(Buffer.from(pem).toString('latin1')) ?? [];
  if (base64 === undefined) throw new SwarmError('invalid', 'no certificate request in PEM form');
  const x509 = await loadX509();
  try {
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(base64, 'base64'));
    const spki = request.publicKey.rawData;
    const publicKey = await webcrypto.subtle.importKey('spki', spki, CERTIFICATE_KEY, true, ['verify']);
    if (!(await request.verify())) throw new SwarmError('invalid', 'it is not signed by its own key');
    return { publicKey, keyId: keyIdOf(new Uint8Array(spki)) };
  } catch (error) {
    const why =
      error instanceof SwarmError ? error.message : 'it cannot be read, or its key is not ECDSA P-256';
    throw new SwarmError('invalid', `the certificate request is no good: ${why}`, { cause: error });
  }
}

/** The name of a public key (DER, SPKI). */
export function keyIdOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}
