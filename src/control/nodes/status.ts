import { validityOf } from '../../ca/index.ts';
import type { Node } from '../../model/index.ts';

/**
 * Why a node is not ready. An engine that was restarted after its certificate had expired never calls, so nobody but who
 * looks at the node's row can tell.
 */
export function statusMessage({ status, certificate }: Node, nowMs: number): string {
  if (status.state === 'ready' || certificate.certPem === '') return status.message;
  const { untilMs } = validityOf(certificate.certPem);
  if (untilMs > nowMs) return status.message;
  const expired =
    `its certificate has expired on ${new Date(untilMs).toISOString()}: if its engine was restarted since, ` +
    'docker swarm leave and docker swarm join on it bring it back';
  return status.message === '' ? expired : `${status.message}; ${expired}`;
}
