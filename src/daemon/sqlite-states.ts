import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import {
  memoryBackend,
  openStore,
  soleLead,
  sqliteBackend,
  type Backend,
  type Keyring,
  type Store,
} from '../store/index.ts';
import type { StateFolder } from './state-folder.ts';
import type { HostState, States } from './states.ts';

interface World {
  readonly keyring: Keyring;
  readonly times: Times;
  readonly log: Logger;
}

/** The state of a swarm that has this host for its one manager: in SQLite, or in memory. */
export function ownStates(kind: 'sqlite' | 'memory', folder: StateFolder, world: World): States {
  const open = (): Promise<HostState> => (kind === 'memory' ? inMemory(world) : inSqlite(folder, world));
  return {
    kind,
    get hasOwn() {
      return kind === 'sqlite' && folder.hasDatabase;
    },
    open: async () => {
      if (kind === 'memory' || !folder.hasDatabase) throw new SwarmError('not-found', 'there is no state');
      return open();
    },
    create: open,
    sharedClusterId: () => Promise.resolve(''),
    erase: () => Promise.resolve(),
  };
}

async function inMemory(world: World): Promise<HostState> {
  const backupTo = (): Promise<never> =>
    Promise.reject(new SwarmError('unsupported', 'a state in memory has no backup'));
  return soleState(await openOn(memoryBackend(), world), backupTo);
}

async function inSqlite(folder: StateFolder, world: World): Promise<HostState> {
  const backend = sqliteBackend(folder.path);
  try {
    return soleState(await openOn(backend, world), (path) => backend.backupTo(path));
  } catch (error) {
    await backend.close();
    throw error;
  }
}

function soleState(store: Store, backupTo: HostState['backupTo']): HostState {
  return {
    store,
    isOwn: true,
    takePart: soleLead,
    takeOver: () => Promise.resolve(),
    keeping: {
      objection: () => ONE_MANAGER,
      admit: () => Promise.reject(new SwarmError('unsupported', ONE_MANAGER)),
      release: () => Promise.resolve(),
    },
    isThere: () => true,
    trouble: undefined,
    backupTo,
    close: () => store.close(),
  };
}

/** What a second manager is told. */
const ONE_MANAGER =
  'the state of this swarm is its one manager’s alone: a swarm of several managers keeps it in an etcd ' +
  '(swarmd --store etcd://… from docker swarm init on)';

function openOn(backend: Backend, { times, log, keyring }: World): Promise<Store> {
  return openStore(backend, {
    keyring,
    nowMs: () => times.wallMs(),
    onFault: (error) => log.error({ err: messageOf(error) }, 'A reader of the state failed'),
  });
}
