import { Joining, Managers } from '../../proto/generated/skep/managers_pb.js';
import { managerTls, type SwarmCredentials } from './identity.ts';
import { linkToManager, type ManagerLink } from './manager-link.ts';

const LIMITS = {
  times: { pingMs: 5_000, pingAnswerMs: 5_000 },
  messageMaxBytes: 1024 * 1024,
  /** A joiner's member of the store is let in before the answer comes. */
  callMaxMs: 30_000,
};

/**
 * For a node that asks the manager at `addr` (`host:port`), or whoever that one relays to. Throws `unavailable` where
 * there is no root; calls reject with a ConnectError, after 30 s if no other time is said, streams excepted.
 */
export function connectManagers(addr: string, credentials: SwarmCredentials): ManagerLink<typeof Managers> {
  return linkToManager(Managers, { addr, tls: managerTls(credentials), ...LIMITS });
}

/** The same for a host that has the swarm's root and no certificate yet. */
export function connectJoining(addr: string, rootPem: string): ManagerLink<typeof Joining> {
  return linkToManager(Joining, { addr, tls: managerTls({ rootPem }), ...LIMITS });
}
