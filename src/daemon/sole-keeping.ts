import { messageOf, SwarmError } from '../base/errors.ts';
import type { Candidate, StoreKeeping } from '../manager/index.ts';
import type { OwnWorld } from './own-states.ts';

/** What the one manager of a swarm says to hosts that want to manage it too. */
export function soleKeeping({ etcd, onWanted }: Pick<OwnWorld, 'etcd' | 'onWanted'>): StoreKeeping {
  return {
    objection: objectionTo,
    admit: async (_nodeId, candidate) => {
      const why = objectionTo(candidate) ?? ((await etcd.version()) === '' ? NO_ETCD_HERE : undefined);
      if (why !== undefined) throw new SwarmError('conflict', why);
      await onWanted().catch((error: unknown) => {
        throw new SwarmError('conflict', `the manager could not start etcd beside it: ${messageOf(error)}`, {
          cause: error,
        });
      });
      throw new SwarmError('unavailable', 'the state of the swarm is on its way to an etcd; ask again');
    },
    release: () => Promise.resolve(),
    care: () => Promise.resolve(),
  };
}

const INSTALL = 'apt-get install etcd-server (older releases of Debian and Ubuntu call the package etcd)';
const NO_ETCD = `several managers keep the state of their swarm in etcd, which is not installed on that host: ${INSTALL}`;
const NO_ETCD_HERE = `several managers keep the state of their swarm in etcd, which is not installed on the manager's host: ${INSTALL}`;

/** Why a host can't have a member of the managers' own etcd, in words; undefined where it can. */
export function objectionTo({ etcdVersion, obstacle }: Candidate): string | undefined {
  if (etcdVersion === '') return NO_ETCD;
  return obstacle === '' ? undefined : obstacle;
}
