import { statSync } from 'node:fs';
import type { X509Certificate } from 'node:crypto';
import { SwarmError } from '../base/errors.ts';
import { coversName, dayOf, isSignedBy, mayServeAs, namesOf, validityAt } from './judge.ts';
import { readCertificates } from './pem.ts';
import type { TlsFiles } from './tls-files.ts';

const DAY_MS = 24 * 3600_000;
const SOON_DAYS = 30;
const READ_BY_OTHERS = 0o007;

/** Throws `unavailable` for certificates that no peer would accept now. Without verifying, peers may not look. */
export function refuseOutOfTime(tls: TlsFiles, nowMs: number): void {
  if (!tls.verify) return;
  const authorities = authoritiesOf(tls);
  const [certificate] = readCertificates(tls.cert, tls.paths.cert);
  const fault =
    outOfTime(certificate, `the certificate of --tlscert (${tls.paths.cert})`, nowMs) ??
    (authorities.every((one) => validityAt(one, nowMs) !== 'valid')
      ? outOfTime(authorities[0], `the CA of --tlscacert (${tls.paths.ca ?? ''})`, nowMs)
      : undefined);
  if (fault !== undefined) throw new SwarmError('unavailable', fault);
}

/**
 * Sentences for the log about files that can be read and yet will trouble somebody. `dialed` are the names and addresses
 * under which others reach this process.
 */
export function tlsWarnings(tls: TlsFiles, dialed: readonly string[], nowMs: number): string[] {
  const chain = readCertificates(tls.cert, tls.paths.cert);
  const [certificate] = chain;
  const own = `the certificate of --tlscert (${tls.paths.cert})`;
  const warnings = expiryWarnings(tls, nowMs);
  if (tls.verify && !isSignedBy(chain, authoritiesOf(tls)))
    warnings.push(
      `${own} is not signed by the CA of --tlscacert (${tls.paths.ca ?? ''}): whoever trusts that CA refuses it`,
    );
  if (!mayServeAs(certificate, 'server'))
    warnings.push(`${own} is not made for servers (extendedKeyUsage serverAuth): clients refuse it`);
  if (!mayServeAs(certificate, 'client'))
    warnings.push(
      `${own} is not made for clients (extendedKeyUsage clientAuth): engines that verify refuse this manager`,
    );
  const lacking = dialed.filter((name) => !coversName(certificate, name));
  if (lacking.length > 0)
    warnings.push(
      `${own} has no name for ${lacking.join(', ')} (it has: ${namesOf(certificate).join(', ') || 'none'}): clients that verify refuse it there; swarm certs --host makes one that has`,
    );
  return [...warnings, ...keyFileWarnings(tls.paths.key)];
}

/** What ends within a month, or has ended. */
export function expiryWarnings(tls: TlsFiles, nowMs: number): string[] {
  const [own] = readCertificates(tls.cert, tls.paths.cert);
  const all = [
    { certificate: own, what: `the certificate of --tlscert (${tls.paths.cert})` },
    ...authoritiesOf(tls).map((certificate) => ({
      certificate,
      what: `the CA ${certificate.subject.replaceAll('\n', ', ')} of --tlscacert (${tls.paths.ca ?? ''})`,
    })),
  ];
  return all.flatMap(({ certificate, what }) => {
    const fault = outOfTime(certificate, what, nowMs);
    if (fault !== undefined) return fault;
    const days = Math.floor((certificate.validToDate.getTime() - nowMs) / DAY_MS);
    if (days >= SOON_DAYS) return [];
    return `${what} expires on ${dayOf(certificate.validToDate)}, in ${days} days: renew it`;
  });
}

function outOfTime(
  certificate: X509Certificate | undefined,
  what: string,
  nowMs: number,
): string | undefined {
  if (!certificate) return undefined;
  switch (validityAt(certificate, nowMs)) {
    case 'expired':
      return `${what} expired on ${dayOf(certificate.validToDate)}: renew it`;
    case 'early':
      return `${what} is valid from ${dayOf(certificate.validFromDate)} only: is this machine's clock right?`;
    case 'valid':
      return undefined;
  }
}

function authoritiesOf(tls: TlsFiles): readonly X509Certificate[] {
  return tls.ca ? readCertificates(tls.ca, tls.paths.ca ?? '') : [];
}

function keyFileWarnings(path: string): string[] {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & READ_BY_OTHERS) === 0) return [];
  return [`every user of this machine can read the key of --tlskey (${path}): chmod 600 ${path}`];
}
