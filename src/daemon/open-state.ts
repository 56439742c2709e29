import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { memoryBackend, openStore, sqliteBackend, type Backend, type Store } from '../store/index.ts';
import type { DaemonOptions } from './options.ts';
import type { StateFolder } from './state-folder.ts';
import type { OpenState } from './swarm-life.ts';

interface World {
  readonly times: Times;
  readonly log: Logger;
}

/** Opens the state of the swarm. Rejects where it can't be read. */
export async function openState(
  kind: DaemonOptions['store'],
  folder: StateFolder,
  world: World,
): Promise<OpenState> {
  if (kind === 'memory') {
    const backupTo = (): Promise<never> =>
      Promise.reject(new SwarmError('unsupported', 'a state in memory has no backup'));
    return { store: await open(memoryBackend(), world), backupTo };
  }
  const backend = sqliteBackend(folder.path);
  try {
    return { store: await open(backend, world), backupTo: (path) => backend.backupTo(path) };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

function open(backend: Backend, { times, log }: World): Promise<Store> {
  return openStore(backend, {
    nowMs: () => times.wallMs(),
    onFault: (error) => log.error({ err: messageOf(error) }, 'A reader of the state failed'),
  });
}
