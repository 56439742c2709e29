import type { Kernel } from '../kernel/kernel.ts';
import { hasBridge } from './has-bridge.ts';
import { readOverlay, SHOW_OVERLAY } from './overlay-view.ts';
import { planNoPeers } from './plan-peers.ts';

/** Takes away what a balancer has put into an overlay's namespace, whichever process it was. */
export async function clearPeers(kernel: Kernel, path: string): Promise<void> {
  if (!(await hasBridge(kernel))) return;
  const { ip, bridge } = planNoPeers(readOverlay(await kernel.shell(path, SHOW_OVERLAY)));
  const mayFail = (args: readonly string[]) => ({ args, mayFail: true });
  await kernel.bridge(path, bridge.map(mayFail));
  await kernel.ip(path, ip.map(mayFail));
}
