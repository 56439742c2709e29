import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { Cluster } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import type { SwarmCredentials } from '../swarmkit/index.ts';
import { issueManagerCertificate, validityOf } from './node-certificate.ts';
import { signerOf } from './root-signer.ts';
import { rungOrLate } from './rung-or-late.ts';

export interface ManagerRenewal {
  readonly nodeId: string;
  /** What it has now. */
  readonly current: SwarmCredentials;
  /** Puts new ones to use, and keeps them. Called again with others when it rejects. */
  readonly onRenewed: (credentials: SwarmCredentials) => void | Promise<void>;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** SwarmKit renews at a random point of this part of a certificate's life. */
const FROM_SHARE = 0.5;
const TO_SHARE = 0.8;
/** No timer goes over 24 days, and the wall clock may jump. */
const LOOK_MS = 3600_000;
/** Before what failed is tried again. */
const LEAST_MS = 60_000;

/**
 * Renews swarmd's own certificate in time until the signal fires, and at once when the root is another one. A node that is
 * no manager any more gets none.
 */
export async function runManagerRenewal(
  { store, times, log }: LoopContext,
  { nodeId, current, onRenewed, random = Math.random }: ManagerRenewal,
  signal: AbortSignal,
): Promise<void> {
  let held = current;
  let dueMs = renewalTime(held.certPem, random());
  const bell = new Bell();
  const unwatch = store.watch((events) => {
    if (events.some(({ kind }) => kind === 'cluster')) bell.ring();
  });
  try {
    while (!signal.aborted) {
      const cluster = store.view.cluster();
      const mayHave = cluster !== undefined && store.view.get('node', nodeId)?.role === 'manager';
      const due = times.wallMs() >= dueMs || !isOfRoot(held, cluster);
      if (mayHave && due) {
        try {
          const next = await issueManagerCertificate(cluster, nodeId, times.wallMs());
          await onRenewed(next);
          held = next;
          dueMs = renewalTime(held.certPem, random());
          log.info('certificate of this manager renewed');
        } catch (error) {
          log.error({ error: messageOf(error) }, 'the certificate of this manager could not be renewed');
        }
      }
      const waitMs = mayHave ? Math.max(LEAST_MS, dueMs - times.wallMs()) : LOOK_MS;
      await rungOrLate(bell, times, Math.min(LOOK_MS, waitMs), signal);
    }
  } finally {
    unwatch();
  }
}

/** When a certificate is to be renewed, ms since 1970; `share` from 0 to 1 says where in its window. */
export function renewalTime(certPem: string, share: number): number {
  const { fromMs, untilMs } = validityOf(certPem);
  return fromMs + (untilMs - fromMs) * (FROM_SHARE + (TO_SHARE - FROM_SHARE) * share);
}

/** Whether a manager's certificate was signed by who signs now, and checks others by the root that counts. */
function isOfRoot({ certPem, rootPem }: SwarmCredentials, cluster: Cluster | undefined): boolean {
  if (!cluster) return false;
  const { managerChain } = signerOf(cluster.rootCa);
  return rootPem === cluster.rootCa.certPem && certPem.endsWith(managerChain);
}
