import { SwarmError } from '../../base/errors.ts';
import { errorCode, wireWords } from '../../base/wire-words.ts';

const UNTRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/** Whether a connection failed because nobody known vouches for the other side. */
export function isUntrusted(error: unknown): boolean {
  return UNTRUSTED.has(errorCode(error));
}

/** Why a token service could not be asked, in words with a way out; `unavailable`. */
export function tokenTrouble(url: string, error: unknown): SwarmError {
  return new SwarmError('unavailable', `token service ${url}: ${reasonOf(url, error)}`, { cause: error });
}

function reasonOf(url: string, error: unknown): string {
  const code = errorCode(error);
  const message = wireWords(error);
  if (isUntrusted(error))
    return `its certificate is signed by a CA that is not known here (${message}); name the CA with --discovery-opt kv.cacertfile, kv.certfile, kv.keyfile, or NODE_EXTRA_CA_CERTS=ca.pem`;
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for another name: ${message}`;
  if (url.startsWith('https:') && /wrong version number|:http request:|packet length too long/i.test(message))
    return 'it speaks plain HTTP there, not TLS; say http://';
  if (/alert.*(certificate required|bad certificate|handshake failure)/i.test(message))
    return 'it asks for a certificate: --discovery-opt kv.cacertfile, kv.certfile, kv.keyfile';
  if (/HTTP request to an HTTPS server/i.test(message) && url.startsWith('http:'))
    return 'it speaks TLS there, not plain HTTP; say https://';
  return message;
}
