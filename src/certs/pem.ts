import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { SwarmError } from '../base/errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** The forms a private key has in PEM: PKCS#8, PKCS#1 (RSA) and SEC1 (EC). */
const PRIVATE_KEY = /-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----([\s\S]+?)-----END \1-----/;

/** Every certificate of a PEM file, in its order. Throws `unavailable`, beginning with `where`, for none or a broken one. */
export function readCertificates(
  pem: Buffer | string,
  where: string,
): [X509Certificate, ...X509Certificate[]] {
  const [first, ...others] = (pem.toString().match(CERTIFICATE) ?? []).map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new SwarmError('unavailable', `${where}: a certificate in it cannot be read`);
    }
  });
  if (!first) throw new SwarmError('unavailable', `${where}: no certificate in PEM form in it`);
  return [first, ...others];
}

/** The private key of a PEM file. Throws `unavailable`, beginning with `where`: none, broken, or locked by a password. */
export function readPrivateKey(pem: Buffer | string, where: string): KeyObject {
  const block = PRIVATE_KEY.exec(pem.toString());
  if (!block) throw new SwarmError('unavailable', `${where}: no private key in PEM form in it`);
  const [text, label, body = ''] = block;
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(body))
    throw new SwarmError(
      'unavailable',
      `${where}: no open private key in it. Key encrypted? To take the password off: openssl pkey -in ${where} -out KEY.pem`,
    );
  try {
    return createPrivateKey(text);
  } catch {
    throw new SwarmError('unavailable', `${where}: the private key in it cannot be read`);
  }
}
