import type { Tx } from '../store/index.ts';
import { validityOf } from './node-certificate.ts';

/** SwarmKit remembers them a week longer than their certificates live. */
const GRACE_MS = 7 * 24 * 3600_000;
/** A node without a row is refused in any case; being remembered only gets it the better words. */
const REMEMBERED_MAX = 1_000;
const NS_PER_MS = 1_000_000;

/**
 * Removes a node for good: its certificate is worth nothing from this update on. Its tasks are the caller's affair.
 * False when there is no such node.
 */
export function removeNode(tx: Tx, id: string, nowMs: number): boolean {
  const node = tx.get('node', id);
  if (!node) return false;
  tx.remove('node', id);
  const cluster = tx.cluster();
  if (!cluster) return true;
  const fallbackMs = nowMs + cluster.spec.nodeCertExpiryNs / NS_PER_MS;
  const until = node.certificate.certPem === '' ? fallbackMs : validityOf(node.certificate.certPem).untilMs;
  const remembered = Object.entries(cluster.removedNodes).filter(([, end]) => end + GRACE_MS > nowMs);
  const removedNodes = Object.fromEntries([...remembered, [id, until] as const].slice(-REMEMBERED_MAX));
  tx.update('cluster', { ...cluster, removedNodes });
  return true;
}
