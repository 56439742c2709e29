import { eachLimited } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { clearPlace } from './clear-place.ts';
import { Firewall } from './firewall.ts';
import type { HostAccess } from './host-access.ts';
import { Kernel } from './kernel/kernel.ts';
import { isBalancers } from './namespace-watch.ts';
import { clearPeers } from './peers/clear-peers.ts';
import { isOverlay } from './peers/overlay-files.ts';
import { rules } from './rules/index.ts';

const AT_ONCE = 4;

/**
 * Takes away everything that a balancer has put on this host, by whichever process: the host first, so that
 * nothing is sent on any more. It may be run again; rejects, having done the rest, where something stays.
 */
export async function clearHost(host: Pick<HostAccess, 'commands' | 'listNamespaces'>): Promise<void> {
  const kernel = new Kernel(host.commands, rules.table, true);
  const faults: string[] = [];
  const attempt = async (what: () => Promise<void>): Promise<void> =>
    what().catch((error: unknown) => void faults.push(messageOf(error)));
  await attempt(() => clearPlace(kernel, ''));
  await attempt(() => new Firewall(host.commands).close());
  const files = await host.listNamespaces();
  await eachLimited(files, AT_ONCE, async (file) => {
    const { path, inode } = file;
    try {
      if (isOverlay(file.name)) return await clearPeers(kernel, path);
      // Of containers there are many, and few have anything of it.
      if (isBalancers(file) || (await kernel.seal(path))) await clearPlace(kernel, path);
    } catch (error) {
      // The engine takes its namespaces away when it leaves.
      const now = await host.listNamespaces();
      if (now.some((one) => one.path === path && one.inode === inode)) faults.push(messageOf(error));
    }
  });
  if (faults.length > 0) throw new SwarmError('internal', [...new Set(faults)].join('; '));
}

/** Whether rules of a balancer are on this host. */
export async function hasTraces(host: Pick<HostAccess, 'commands' | 'listNamespaces'>): Promise<boolean> {
  const kernel = new Kernel(host.commands, rules.table, true);
  if (await kernel.seal('')) return true;
  for (const file of await host.listNamespaces())
    if (isBalancers(file) && (await kernel.seal(file.path).catch(() => undefined))) return true;
  return false;
}
