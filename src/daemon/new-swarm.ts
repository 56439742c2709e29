import { initialNetworks } from '../allocator/index.ts';
import { orAborted } from '../base/async.ts';
import { SwarmError } from '../base/errors.ts';
import type { createCluster } from '../ca/index.ts';
import type { InitRequest } from '../control/index.ts';
import { newManagerNode } from '../model/index.ts';
import type { LeadView } from '../store/index.ts';
import type { LocalConfig } from './state-folder.ts';
import type { HostState } from './states.ts';
import { hostPort } from './swarm-addresses.ts';

/** Until a new swarm has a leader, which is this host. */
export const FIRST_LEAD_MS = 15_000;

/** Writes what a new swarm begins with, as soon as this host leads it. */
export async function seed(
  state: HostState,
  lead: LeadView,
  {
    cluster,
    local,
    request,
  }: { cluster: Awaited<ReturnType<typeof createCluster>>; local: LocalConfig; request: InitRequest },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unlisten = lead.listen(() => void (lead.term && resolve()));
  if (lead.term) resolve();
  await orAborted(promise, AbortSignal.timeout(FIRST_LEAD_MS)).finally(unlisten);
  if (!lead.term) throw new SwarmError('unavailable', 'the store has no place for a leader');
  await state.takeOver(lead.term);
  const { availability } = request;
  await state.store.update((tx) => {
    tx.create('cluster', cluster);
    if (cluster.spec.autoLockManagers) state.store.lock.begin(tx);
    tx.create('node', newManagerNode({ id: local.nodeId, addr: hostPort(local.advertise), availability }));
    for (const network of initialNetworks()) tx.create('network', network);
  });
}
