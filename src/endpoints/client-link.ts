import { Endpoints } from '../../proto/generated/skep/endpoints_pb.js';
import type { KeepaliveTimes } from '../base/http2-session.ts';
import { linkToManager, managerTls, type ManagerLink, type SwarmCredentials } from '../swarmkit/index.ts';

export interface LinkTimes extends KeepaliveTimes {
  /** For TCP alone: a host that is off does not even refuse, and one that lives takes it however busy its manager is. */
  readonly connectMs: number;
  /**
   * From the beginning. A manager says everything at once, but one that does not lead first looks, for 3 s, whether the
   * leader can be reached, before it does the TLS itself.
   */
  readonly firstUpdateMs: number;
}

export type Link = ManagerLink<typeof Endpoints>;

/** Everything that a node needs of a large swarm comes in one message. */
const MESSAGE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * A connection to the swarm's port of a manager: it must show a manager's certificate of this swarm's root. Throws where
 * there is no root.
 */
export function linkTo(addr: string, credentials: SwarmCredentials, times: LinkTimes): Link {
  const tls = managerTls(credentials);
  return linkToManager(Endpoints, { addr, tls, times, messageMaxBytes: MESSAGE_MAX_BYTES });
}
