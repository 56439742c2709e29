import { messageOf } from '../base/errors.ts';
import type { EngineAddress } from './address.ts';

/** What an engine that speaks TLS answers to plain HTTP: the words of Go's server. */
const HTTP_AT_TLS = 'Client sent an HTTP request to an HTTPS server';
const PLAIN =
  'it speaks plain HTTP, this manager TLS: start its dockerd with --tlsverify, or this manager without --tls';
/** Why a handshake fails, by the code of Node and of the OpenSSL in it. */
const TLS_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate, or the CA that signed it, has expired: renew it there',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: do the clocks agree?',
  INVALID_PURPOSE: 'its certificate is not made for a TLS server: its extendedKeyUsage lacks serverAuth',
  ERR_SSL_WRONG_VERSION_NUMBER: PLAIN,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: PLAIN,
  ERR_SSL_HTTP_REQUEST: PLAIN,
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it speaks no TLS of today (1.2 or newer)',
};
const WRONG_CA =
  'its certificate is not signed by the CA of --tlscacert: give the CA that signed it, or sign it anew';
const WRONG_CA_CODES = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);
/** The alerts by which the other side refuses a certificate, as OpenSSL names them. */
const REFUSED =
  /^ERR_SSL_.*ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR|HANDSHAKE_FAILURE)$/;

/** What is wrong with a connection to an engine, and what to do about it, on one line. */
export function wireWords(error: unknown, address: EngineAddress): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wireWords(error.errors[0], address);
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  if (WRONG_CA_CODES.has(code)) return WRONG_CA;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return otherName(error, address);
  const refused = REFUSED.exec(code)?.[1];
  if (refused !== undefined)
    return `it refuses this manager's certificate (${refused.toLowerCase().replaceAll('_', ' ')}): --tlscert must be signed by the CA that the engine has, be within its time, and be good for clients`;
  const words = TLS_WORDS[code];
  if (words !== undefined) return words;
  if (/HTTPParserError/.test(error.name))
    return `not HTTP (${error.message}): is this an engine's port, and does it speak TLS?`;
  return messageOf(error);
}

/** What is wrong when a request in plain HTTP was answered by a TLS port; undefined for any other answer. */
export function tlsPortWords(status: number, body: Buffer): string | undefined {
  if (status !== 400 || !body.subarray(0, 200).includes(HTTP_AT_TLS)) return undefined;
  return `it speaks TLS, this manager does not: start the manager with --tlsverify, --tlscacert, --tlscert and --tlskey (${HTTP_AT_TLS})`;
}

function otherName(error: Error, address: EngineAddress): string {
  const { cert } = error as { cert?: { subjectaltname?: string } };
  const names = (cert?.subjectaltname ?? '').replace(/(DNS|IP Address):/g, '');
  const host = address.kind === 'tcp' ? address.host : address.text;
  return `its certificate has no name for ${host} (it has: ${names || 'none'}): list it under a name it has, or sign it anew`;
}
