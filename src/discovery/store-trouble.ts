import { isIP } from 'node:net';
import { messageOf } from '../base/errors.ts';
import { answersPlain, answersTls } from './store-probe.ts';
import type { StoreTls } from './store-tls.ts';

const FILES = 'kv.cacertfile, kv.certfile and kv.keyfile';
const SPEAKS_TLS = `speaks TLS: give --discovery-opt ${FILES}`;
const SPEAKS_PLAIN = `speaks plain text: leave --discovery-opt ${FILES} out`;

/** A plain request was answered by a server that wants TLS. */
export class SpeaksTlsError extends Error {}

/** Failures before a connection stood: the request cannot have arrived. */
const BEFORE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections: nothing listens there',
  EHOSTUNREACH: 'is out of reach: no route to host',
  ENETUNREACH: 'is out of reach: no route to its network',
  ENOTFOUND: 'is not known: no such host',
  EAI_AGAIN: 'is not known: the name service does not answer',
  ETIMEDOUT: 'did not take the connection in time',
  EACCES: 'is out of reach: not permitted',
};

/** What Node says of a server's certificate that it does not accept. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'untrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'untrusted',
  CERT_SIGNATURE_FAILURE: 'untrusted',
  INVALID_CA: 'untrusted',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'early',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name',
};

/** Whether the request that failed so certainly did not reach the server. */
export function neverSent(error: unknown): boolean {
  const code = codeOf(error);
  return code in BEFORE || code in CERTIFICATE || code.startsWith('ERR_SSL_') || code === 'EPROTO';
}

/** Why no connection came about; undefined where that is not it. */
export function unreachable(error: unknown): string | undefined {
  return BEFORE[codeOf(error)];
}

/**
 * The end of a line that begins with the store and its endpoint: what is wrong and, where it is a matter of TLS, what
 * to do. Looks at the server once more where the failure alone does not tell (a closed connection has many causes).
 */
export async function storeTrouble(
  error: unknown,
  endpoint: string,
  tls: StoreTls | undefined,
): Promise<string> {
  if (error instanceof SpeaksTlsError) return SPEAKS_TLS;
  const code = codeOf(error);
  const before = BEFORE[code];
  if (before !== undefined) return before;
  const certificate = certificateTrouble(code, error, endpoint);
  if (certificate !== undefined) return certificate;
  if (tls === undefined) {
    if (await answersTls(endpoint)) return SPEAKS_TLS;
    return closedOr(code, error);
  }
  if (await answersPlain(endpoint)) return SPEAKS_PLAIN;
  const refused = `does not accept our certificate (kv.certfile)`;
  if (code.includes('ALERT')) return `${refused}: ${alertReason(code, tls)}`;
  if (await answersTls(endpoint)) return `${refused}, or broke off: ${alertReason(code, tls)}`;
  return closedOr(code, error);
}

function certificateTrouble(code: string, error: unknown, endpoint: string): string | undefined {
  switch (CERTIFICATE[code]) {
    case undefined:
      return undefined;
    case 'expired':
      return 'has a certificate that has expired';
    case 'early':
      return 'has a certificate that is not valid yet: do the clocks agree?';
    case 'name':
      return `has a certificate for other names than ${nameOf(endpoint)} (${namesIn(error)})`;
    default:
      return 'has a certificate that the CA of kv.cacertfile did not sign';
  }
}

function nameOf(endpoint: string): string {
  const host = endpoint.slice(0, endpoint.lastIndexOf(':'));
  return isIP(host) === 0 ? host : `the address ${host}`;
}

function namesIn(error: unknown): string {
  const cert: unknown = error instanceof Error && 'cert' in error ? error.cert : undefined;
  const names =
    cert !== null && typeof cert === 'object' && 'subjectaltname' in cert ? cert.subjectaltname : '';
  if (typeof names !== 'string' || names === '') return 'it has none';
  return [...new Set(names.replaceAll(/(IP Address|DNS):/g, '').split(', '))].join(', ').slice(0, 200);
}

function alertReason(code: string, tls: StoreTls): string {
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  const until = new Date(new X509Certificate(tls.cert).validTo);
  if (until.getTime() < Date.now()) return `it expired on ${until.toISOString().slice(0, 10)}`;
  return code.includes('EXPIRED') ? 'it has expired' : 'is it signed by the CA that the store trusts?';
}

function closedOr(code: string, error: unknown): string {
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'closed the connection' : `failed: ${messageOf(error)}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
