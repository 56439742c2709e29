import { Code, ConnectError } from '@connectrpc/connect';
import { messageOf } from '../../base/errors.ts';

/** What Node says of a certificate that it does not accept. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by the CA that was given',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is not signed by the CA that was given',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not signed by the CA that was given',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by the CA that was given',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not signed by the CA that was given',
  CERT_SIGNATURE_FAILURE: 'its certificate is not signed by the CA that was given',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; do the clocks agree?',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names',
};

/** What is wrong with a call to etcd, in words for a person who can mend it. */
export function troubleWords(error: unknown): string {
  const certificate = codesOf(error)
    .map((code) => CERTIFICATE[code])
    .find(Boolean);
  if (certificate !== undefined) return certificate;
  const message = error instanceof ConnectError ? error.rawMessage : messageOf(error);
  if (/\balert\b/i.test(message)) return 'it does not accept our certificate, or wants one';
  if (message.includes('before secure TLS connection')) return 'it does not speak TLS';
  if (!(error instanceof ConnectError)) return message;
  if (message.startsWith('etcdserver')) return message.replace(/^etcdserver: /, '');
  if (error.code === Code.DeadlineExceeded) return 'it does not answer in time';
  if (/stream closed with error code/i.test(message)) return 'it closed the connection; does it want TLS?';
  return message;
}

/** The codes of an error and of what caused it. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let one = error; one instanceof Error && codes.length < 5; one = one.cause)
    codes.push('code' in one ? String(one.code) : '');
  return codes;
}
