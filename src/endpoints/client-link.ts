import { createClient, type Client } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Endpoints } from '../../proto/generated/skep/endpoints_pb.js';
import { SwarmError } from '../base/errors.ts';
import { Http2Session, type KeepaliveTimes } from '../base/http2-session.ts';
import type { SwarmCredentials } from '../swarmkit/index.ts';

export interface LinkTimes extends KeepaliveTimes {
  /** A manager says everything at once; a host that is off does not even refuse. */
  readonly firstUpdateMs: number;
}

/** One connection to a manager, made with the first call. */
export interface Link {
  readonly client: Client<typeof Endpoints>;
  /** Ends every call, and the connection. */
  close(): void;
}

/** The name that every manager's certificate carries (SwarmKit). */
const MANAGER_NAME = 'swarm-manager';
/** Everything that a node needs of a large swarm comes in one message. */
const MESSAGE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * A connection to the swarm's port of a manager: it must show a manager's certificate of this swarm's root. Throws where
 * there is no root.
 */
export function linkTo(addr: string, { certPem, keyPem, rootPem }: SwarmCredentials, times: LinkTimes): Link {
  // Node would take the public roots for none.
  if (!rootPem.includes('BEGIN CERTIFICATE'))
    throw new SwarmError('unavailable', "the swarm's root certificate is missing");
  const baseUrl = `https://${addr}`;
  const tls = {
    cert: certPem,
    key: keyPem,
    ca: rootPem,
    servername: MANAGER_NAME,
    minVersion: 'TLSv1.2' as const,
  };
  const sessionManager = new Http2Session(baseUrl, tls, times);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    acceptCompression: [],
    readMaxBytes: MESSAGE_MAX_BYTES,
  });
  return { client: createClient(Endpoints, transport), close: () => sessionManager.close() };
}
