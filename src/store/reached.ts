import type { Store } from './types.ts';

/** Resolves when a store holds a revision, and when the signal fires. */
export async function reached(
  store: Pick<Store, 'view' | 'watch'>,
  revision: number,
  signal: AbortSignal,
): Promise<void> {
  if (store.view.revision >= revision || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unwatch = store.watch(() => void (store.view.revision >= revision && resolve()));
  const over = (): void => resolve();
  signal.addEventListener('abort', over, { once: true });
  await promise;
  signal.removeEventListener('abort', over);
  unwatch();
}
