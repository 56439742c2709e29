import { eachLimited } from '../base/async.ts';
import type { LoopContext } from '../store/index.ts';
import type { Liveness } from './liveness.ts';

/** Whether nothing at a host answers; a few seconds are enough to say. Never rejects. */
export type IsSilent = (host: string, signal: AbortSignal) => Promise<boolean>;

/** Most agents are back by then. */
const FIRST_MS = 2_000;
const PAUSE_MS = 500;
const SILENT_TIMES = 3;
const AT_ONCE = 16;

/**
 * After a start agents may take half a minute to come back. A host that answers to nobody needs none of it: once the
 * agents of half the nodes are back, those that are still awaited are called, and a node whose host stays silent is
 * given up. Ends when nobody is awaited any more, or the signal fires.
 */
export async function giveUpSilentHosts(
  { store, times }: Pick<LoopContext, 'store' | 'times'>,
  live: Liveness,
  isSilent: IsSilent,
  signal: AbortSignal,
): Promise<void> {
  const silent = new Map<string, number>();
  await times.pause(FIRST_MS, signal);
  while (!signal.aborted) {
    const nodes = [...store.view.all('node')];
    const awaited = nodes.filter(({ id, status }) => status.state === 'unknown' && !live.isBack(id));
    if (awaited.length === 0) return;
    // Where most are away, it is rather this host that nobody can reach.
    if (nodes.filter(({ id }) => live.isBack(id)).length >= awaited.length)
      await eachLimited(awaited, AT_ONCE, async ({ id, status }) => {
        const count = (await isSilent(status.addr, signal)) ? (silent.get(id) ?? 0) + 1 : 0;
        silent.set(id, count);
        if (count >= SILENT_TIMES && !signal.aborted) live.giveUp(id);
      });
    await times.pause(PAUSE_MS, signal);
  }
}
