import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { LoopContext, Store } from '../store/index.ts';
import { Followers } from './followers.ts';
import { finishedRotation } from './root-change.ts';
import { rootIssuer } from './root-issuer.ts';
import { rungOrLate } from './rung-or-late.ts';

/** SwarmKit's: so many nodes are asked to renew at a time, every so often. */
const ASKED_AT_ONCE = 30;
const LOOK_MS = 3_000;
/** A node that got its certificate has this long to say so, before it is asked for another one. */
const ASK_AGAIN_MS = 30_000;

/**
 * Brings the nodes over to a new root while one is wanted, until the signal fires. Those that have not followed are asked to
 * renew their certificates; when all that are members have, the new root takes the place of the old one, and tokens change.
 * A node that is away holds it up until it is back or removed. All that it knows is in the store: a start goes on with it.
 */
export async function runRootRotation(context: LoopContext, signal: AbortSignal): Promise<void> {
  const { store, times, log } = context;
  const bell = new Bell();
  const asked = new Map<string, number>();
  let followers: Followers | undefined;
  let trouble = '';
  const unwatch = store.watch((events) => {
    for (const event of events) {
      if (event.kind === 'cluster') bell.ring();
      followers?.see(event);
    }
    if (followers?.behind.size === 0) bell.ring();
  });
  try {
    while (!signal.aborted) {
      try {
        const rootPem = store.view.cluster()?.rootCa.rotation?.certPem;
        if (rootPem !== followers?.rootPem) {
          asked.clear();
          const issuer = rootPem === undefined ? undefined : await rootIssuer(rootPem);
          followers = issuer && new Followers(rootPem ?? '', issuer, store.view.all('node'));
          if (followers) log.info({ nodes: followers.behind.size }, 'The root CA is being rotated');
        }
        if (followers?.behind.size === 0) {
          if (await finish(store, followers)) log.info('The root CA was rotated');
        } else if (followers) await ask(context, followers, asked);
        trouble = '';
      } catch (error) {
        if (trouble !== messageOf(error))
          log.error({ err: messageOf(error) }, 'the rotation of the root CA cannot go on; it is tried again');
        trouble = messageOf(error);
      }
      await (followers ? rungOrLate(bell, times, LOOK_MS, signal) : bell.heard(signal));
    }
  } finally {
    unwatch();
  }
}

/** Has some of the nodes that are behind renew their certificates. */
async function ask(
  { store, times }: LoopContext,
  { behind }: Followers,
  asked: Map<string, number>,
): Promise<void> {
  const due: string[] = [];
  for (const id of behind) {
    const { state, certPem } = store.view.get('node', id)?.certificate ?? {};
    // What has no certificate yet gets its first by the new root.
    if (state !== 'issued' || certPem === '') continue;
    if (times.nowMs() - (asked.get(id) ?? -Infinity) < ASK_AGAIN_MS) continue;
    due.push(id);
    if (due.length >= ASKED_AT_ONCE) break;
  }
  await store.batch(due, (tx, id) => {
    const node = tx.get('node', id);
    if (node?.certificate.state !== 'issued') return;
    tx.update('node', { ...node, certificate: { ...node.certificate, state: 'rotate' } });
  });
  for (const id of due) asked.set(id, times.nowMs());
}

/** Puts the new root in the place of the old one; false where that is not to be done any more, or not yet. */
async function finish(store: Store, followers: Followers): Promise<boolean> {
  return store.update((tx) => {
    const cluster = tx.cluster();
    if (!cluster || cluster.rootCa.rotation?.certPem !== followers.rootPem) return false;
    // Somebody may have joined whose row was not seen yet.
    for (const node of tx.all('node')) if (!followers.hasFollowed(node)) return false;
    tx.update('cluster', { ...cluster, rootCa: finishedRotation(cluster.rootCa) });
    return true;
  });
}
