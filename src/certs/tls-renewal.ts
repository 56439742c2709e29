import { pause } from '../base/async.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { dayOf } from './judge.ts';
import { readCertificates } from './pem.ts';
import { loadTlsFiles, type TlsFiles } from './tls-files.ts';
import { expiryWarnings } from './tls-findings.ts';

const LOOK_MS = 10_000;

export interface RenewalOptions {
  signal: AbortSignal;
  log: Logger;
  /** The time between two looks. */
  everyMs?: number;
  now?: () => number;
}

/**
 * Reads the files again every few seconds and puts what was renewed into `tls`, so that new connections have it. Files
 * that cannot be used change nothing: a renewal may be half done, and is spoken of where it still is at the next look.
 * Once a day what is about to expire is named. Resolves when the signal fires; never rejects.
 */
export async function followTlsFiles(tls: TlsFiles, options: RenewalOptions): Promise<void> {
  const { signal, log, everyMs = LOOK_MS, now = Date.now } = options;
  let warnedOn = dayOf(new Date(now()));
  let trouble = '';
  let told = '';
  for (;;) {
    await pause(everyMs, signal);
    if (signal.aborted) return;
    try {
      renew(tls, log);
      trouble = told = '';
    } catch (error) {
      const reason = messageOf(error);
      if (reason === trouble && reason !== told) {
        log.warn({ err: reason }, 'The TLS files cannot be read again; those that were read before stay');
        told = reason;
      }
      trouble = reason;
    }
    const today = dayOf(new Date(now()));
    if (today === warnedOn) continue;
    warnedOn = today;
    for (const warning of expiryWarnings(tls, now())) log.warn(warning);
  }
}

function renew(tls: TlsFiles, log: Logger): void {
  const found = loadTlsFiles(tls.paths);
  const same = (['ca', 'cert', 'key'] as const).every(
    (file) => found[file]?.equals(tls[file] ?? Buffer.alloc(0)) ?? tls[file] === undefined,
  );
  if (same) return;
  Object.assign(tls, found);
  const [certificate] = readCertificates(tls.cert, tls.paths.cert);
  log.info({ until: dayOf(certificate.validToDate) }, 'The TLS files were renewed; new connections use them');
}
