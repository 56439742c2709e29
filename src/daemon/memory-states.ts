import { messageOf, SwarmError } from '../base/errors.ts';
import { memoryBackend, openStore, soleLead } from '../store/index.ts';
import type { SharedWorld } from './shared-state.ts';
import type { HostState, States } from './states.ts';

const ONE_MANAGER = 'the state of this swarm is in the memory of its one manager';

/** A state that its swarmd forgets. */
export function memoryStates({
  keyring,
  layouts,
  times,
  log,
}: Pick<SharedWorld, 'keyring' | 'layouts' | 'times' | 'log'>): States {
  const none = (): Promise<never> => Promise.reject(new SwarmError('not-found', 'there is no state'));
  return {
    kind: 'memory',
    layout: layouts.newest,
    hasOwn: false,
    open: none,
    create: async (): Promise<HostState> => {
      const store = await openStore(memoryBackend(), {
        keyring,
        layouts,
        nowMs: () => times.wallMs(),
        onFault: (error) => log.error({ err: messageOf(error) }, 'A reader of the state failed'),
      });
      return {
        store,
        isOwn: true,
        takePart: soleLead,
        takeOver: () => Promise.resolve(),
        keeping: {
          objection: () => ONE_MANAGER,
          admit: () => Promise.reject(new SwarmError('conflict', ONE_MANAGER)),
          release: () => Promise.resolve(),
          care: () => Promise.resolve(),
        },
        isThere: () => true,
        others: [],
        onOthers: () => () => undefined,
        trouble: undefined,
        needsMajority: false,
        backupTo: () => Promise.reject(new SwarmError('unsupported', 'a state in memory has no backup')),
        close: () => store.close(),
      };
    },
    enter: none,
    move: none,
    sharedClusterId: () => Promise.resolve(''),
    etcd: () => Promise.resolve({ etcdVersion: '', obstacle: '', storeMember: 'never' }),
    erase: () => Promise.resolve(),
    forget: () => Promise.resolve(),
    alone: () => Promise.resolve(),
    witnessId: undefined,
    isReleased: false,
    stepDown: () => Promise.resolve(),
    witness: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
