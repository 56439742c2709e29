import type { X509Certificate } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';

/** What a certificate may be used for in a TLS connection: its holder listens, or dials. */
export type Usage = 'server' | 'client';

const USAGE_OID: Readonly<Record<Usage, string>> = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
};
const ANY_USAGE_OID = '2.5.29.37.0';
/** Longer chains are not built by anyone; a ring of certificates must end somewhere. */
const CHAIN_MAX = 8;

/** Whether a client that dials this name or address accepts the certificate. Only its SAN counts, as for Go's clients. */
export function coversName(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) > 0) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { subject: 'never' }) !== undefined;
}

/** The names a certificate is good for, as a person writes them. */
export function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '').split(', ').flatMap((entry) => {
    const [, kind, value = ''] = /^(DNS|IP Address):(.+)$/.exec(entry) ?? [];
    if (kind === undefined) return [];
    return kind === 'DNS' ? value : canonicalAddress(value);
  });
}

/** The one way to write an address (RFC 5952 for IPv6), so that one is not taken for two. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/** Whether a certificate may be used so. One that says nothing of its usage may be used for all. */
export function mayServeAs(certificate: X509Certificate, usage: Usage): boolean {
  const usages = certificate.keyUsage as readonly string[] | undefined;
  return !usages || usages.includes(USAGE_OID[usage]) || usages.includes(ANY_USAGE_OID);
}

/** Whether a certificate, maybe over others of its file, was signed by one of these. Times are not looked at. */
export function isSignedBy(
  [certificate, ...chain]: readonly [X509Certificate, ...X509Certificate[]],
  authorities: readonly X509Certificate[],
): boolean {
  let at: X509Certificate | undefined = certificate;
  for (let length = 0; at && length < CHAIN_MAX; length += 1) {
    const signed: X509Certificate = at;
    if (authorities.some((one) => signedBy(signed, one))) return true;
    at = chain.find((one) => one.fingerprint256 !== signed.fingerprint256 && signedBy(signed, one));
  }
  return false;
}

function signedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** Whether a moment is before, within or after the time a certificate is valid for. */
export function validityAt(certificate: X509Certificate, nowMs: number): 'early' | 'valid' | 'expired' {
  if (nowMs < certificate.validFromDate.getTime()) return 'early';
  return nowMs > certificate.validToDate.getTime() ? 'expired' : 'valid';
}

/** `2031-05-02`, the day in UTC; a person needs no more. */
export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
