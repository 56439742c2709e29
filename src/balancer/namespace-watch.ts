import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { NetnsFile } from './namespaces.ts';

const POLL_MS = 500;
/** A namespace's file is made first and mounted a moment later, which no watch tells. */
const AFTER_EVENT_MS = [5, 20, 40, 80, 160];

export interface NamespaceListener {
  /** A load balancer's sandbox has come, gone or been made anew. */
  balancersChanged(): void;
  /** Any other has: a container's, mostly. */
  othersChanged(): void;
}

/** Tells of network namespaces that come and go, until the signal fires. */
export async function watchNamespaces(
  list: () => Promise<readonly NetnsFile[]>,
  clock: Clock,
  listener: NamespaceListener,
  signal: AbortSignal,
): Promise<void> {
  const folders = new FolderWatch();
  signal.addEventListener('abort', () => folders.wake(), { once: true });
  let balancers = '';
  let others = '';
  while (!signal.aborted) {
    const files = await list().catch(() => []);
    folders.follow(files);
    const marks = (some: readonly NetnsFile[]): string =>
      some.map(({ path, inode }) => `${path} ${inode}`).join();
    const nowBalancers = marks(files.filter(isBalancers));
    const nowOthers = marks(files.filter((file) => !isBalancers(file)));
    if (nowBalancers !== balancers) listener.balancersChanged();
    if (nowOthers !== others) listener.othersChanged();
    [balancers, others] = [nowBalancers, nowOthers];
    await folders.pause(clock);
  }
  folders.close();
}

/** Whether rules may go into it for its name. */
export function isBalancers({ name }: NetnsFile): boolean {
  return name === 'ingress_sbox' || name.startsWith('lb_');
}

class FolderWatch {
  readonly #watches = new Map<string, FSWatcher>();
  #wake = new AbortController();
  /** How many of the short pauses after an event are still to come. */
  #soon = 0;

  follow(files: readonly NetnsFile[]): void {
    const folders = new Set(files.map(({ path }) => dirname(path)));
    for (const [folder, one] of this.#watches) if (!folders.has(folder)) this.#drop(folder, one);
    for (const folder of folders) if (!this.#watches.has(folder)) this.#watch(folder);
  }

  async pause(clock: Clock): Promise<void> {
    const ms = this.#soon > 0 ? AFTER_EVENT_MS[AFTER_EVENT_MS.length - this.#soon--] : POLL_MS;
    await clock.pause(ms ?? POLL_MS, this.#wake.signal);
    this.#wake = new AbortController();
  }

  wake(): void {
    this.#wake.abort();
  }

  close(): void {
    for (const [folder, one] of this.#watches) this.#drop(folder, one);
  }

  /** Without a watch (their number is limited) the polls go on. */
  #watch(folder: string): void {
    try {
      const one = watch(folder, { persistent: false }, () => this.#event());
      one.on('error', () => this.#drop(folder, one));
      this.#watches.set(folder, one);
    } catch {
      return;
    }
  }

  #drop(folder: string, one: FSWatcher): void {
    this.#watches.delete(folder);
    one.close();
  }

  #event(): void {
    this.#soon = AFTER_EVENT_MS.length;
    this.wake();
  }
}
