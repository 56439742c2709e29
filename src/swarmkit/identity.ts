import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { Code, ConnectError, createContextKey, type ContextValues } from '@connectrpc/connect';
import { SwarmError } from '../base/errors.ts';
import type { Cluster, Node, NodeRole } from '../model/index.ts';

/** Who calls, as its certificate says it. */
export interface Identity {
  readonly nodeId: string;
  /** What the certificate was issued for; a manager's counts only while the stored role is manager. */
  readonly role: NodeRole;
  /** The id of the swarm that issued it. */
  readonly organization: string;
}

/** The other end of a connection. */
export interface Peer {
  /** Its IP address. */
  readonly addr: string;
  /** What its certificate says, if this swarm's root signed it. */
  readonly identity?: Identity;
  /** When that certificate ends. */
  readonly expiresAtMs: number;
  /** Why it has no identity, in words for its user. */
  readonly refusal: string;
  /** The key of its certificate, which it has proven to hold, whatever that is worth: DER, SPKI. */
  readonly key?: Uint8Array;
  /** What an expired certificate says: anybody's word, but for the key. */
  readonly expired?: Identity;
}

/** What a node proves itself with, and what it checks others by; PEM. */
export interface SwarmCredentials {
  /** The leaf, then the root. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly rootPem: string;
}

/** What is read of the store to know a member. */
export interface Membership {
  cluster(): Cluster | undefined;
  get(kind: 'node', id: string): Node | undefined;
}

/** Why a caller without any certificate is refused. */
export const NO_CERTIFICATE = 'no client certificates in request';
const NOBODY: Peer = { addr: '', expiresAtMs: 0, refusal: NO_CERTIFICATE };
export const PEER = createContextKey<Peer>(NOBODY, { description: 'the other end of the connection' });

/** The OU that says what a certificate is for. */
export const ROLE_OU: Readonly<Record<NodeRole, string>> = {
  worker: 'swarm-worker',
  manager: 'swarm-manager',
};

/** A handler's context, as far as the caller is concerned. */
export interface CallContext {
  readonly values: ContextValues;
}

/** Where a call comes from. */
export function callerAddr(context: CallContext): string {
  return context.values.get(PEER).addr;
}

/** Who calls, or undefined without a valid certificate of this swarm. Whether it is a member is another question. */
export function callerOf(context: CallContext): Identity | undefined {
  const peer = context.values.get(PEER);
  return peer.expiresAtMs > Date.now() ? peer.identity : undefined;
}

/** The key that a caller has proven to hold: DER, SPKI. */
export function callerKeyOf(context: CallContext): Uint8Array | undefined {
  return context.values.get(PEER).key;
}

/** Whose certificate has expired, as that says it. Nothing of it is proven but the caller's key. */
export function lapsedCallerOf(context: CallContext): Identity | undefined {
  const { identity, expired, expiresAtMs } = context.values.get(PEER);
  return identity && expiresAtMs <= Date.now() ? identity : expired;
}

/** Throws PermissionDenied, as SwarmKit, for a caller without a valid certificate. */
export function requireCaller(context: CallContext): Identity {
  const caller = callerOf(context);
  if (caller) return caller;
  const { identity, refusal } = context.values.get(PEER);
  throw new ConnectError(identity ? EXPIRED : refusal, Code.PermissionDenied);
}

/**
 * The node that calls. Throws PermissionDenied for no valid certificate, one of another swarm and a node that was
 * removed, NotFound for one that the store does not have, Unavailable where there is no swarm: SwarmKit's codes.
 */
export function requireNode(context: CallContext, view: Membership): Node {
  const { nodeId, organization } = requireCaller(context);
  const cluster = view.cluster();
  if (!cluster) throw new ConnectError('this node is not a swarm manager', Code.Unavailable);
  if (Object.hasOwn(cluster.removedNodes, nodeId))
    throw new ConnectError(`Permission denied: node ${nodeId} was removed from swarm`, Code.PermissionDenied);
  if (organization !== cluster.id)
    throw new ConnectError(
      `Permission denied: remote certificate not part of organization: ${cluster.id}`,
      Code.PermissionDenied,
    );
  const node = view.get('node', nodeId);
  if (!node) throw new ConnectError('node not found', Code.NotFound);
  return node;
}

/** The same for a manager: its certificate was issued for one, and it is one still. */
export function requireManager(context: CallContext, view: Membership): Node {
  const node = requireNode(context, view);
  if (requireCaller(context).role === 'manager' && node.role === 'manager') return node;
  throw new ConnectError(
    `Permission denied: unauthorized peer role, expecting: ${ROLE_OU.manager}`,
    Code.PermissionDenied,
  );
}

const EXPIRED =
  'the certificate of this node has expired; an engine that runs renews it, one that was restarted since has to leave ' +
  'the swarm (docker swarm leave) and to join it again';

/** The name that every manager's certificate carries (SwarmKit). */
const MANAGER_NAME = 'swarm-manager';

/** How a connection is made to whoever says that it is a manager. */
export const ANY_MANAGER_TLS = {
  servername: MANAGER_NAME,
  minVersion: 'TLSv1.2',
  rejectUnauthorized: false,
} as const;

/** How a connection to a manager of a root is made. Throws `unavailable` where there is no root. */
export function managerTls(
  credentials: Pick<SwarmCredentials, 'rootPem'> & Partial<SwarmCredentials>,
): ConnectionOptions {
  const { certPem, keyPem, rootPem } = credentials;
  // Node would take the public roots for none.
  if (!rootPem.includes('BEGIN CERTIFICATE'))
    throw new SwarmError('unavailable', "the swarm's root certificate is missing");
  return {
    ...ANY_MANAGER_TLS,
    ...(certPem === undefined || keyPem === undefined ? {} : { cert: certPem, key: keyPem }),
    ca: rootPem,
    rejectUnauthorized: true,
  };
}

/** Words for OpenSSL's verdicts on a client's certificate. */
const VERDICTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID:
    'the certificate of this node is not valid yet: the clocks of the node and of the manager differ',
  UNABLE_TO_GET_ISSUER_CERT: NO_CERTIFICATE,
};

/** An address as it is written everywhere: IPv4 without the prefix that it has at a socket of IPv6. */
export function plainAddr(addr: string | undefined): string {
  return (addr ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** Reads the other end of a new connection, whose address is `addr`. */
export function peerOf(socket: TLSSocket | undefined, addr: string): Peer {
  if (!socket) return NOBODY;
  // Without a verdict of OpenSSL's the subject is anybody's word.
  if (!socket.authorized) {
    const nobody = { ...NOBODY, addr, refusal: refusalOf(socket) };
    if (String(socket.authorizationError) !== 'CERT_HAS_EXPIRED') return nobody;
    const expired = subjectOf(socket);
    return expired ? { ...nobody, expired, ...keyOf(socket) } : nobody;
  }
  const identity = subjectOf(socket);
  if (!identity) return { ...NOBODY, addr, refusal: 'the client certificate is not one of a swarm node' };
  const expiresAtMs = Date.parse(socket.getPeerCertificate().valid_to);
  return { addr, identity, expiresAtMs, refusal: '', ...keyOf(socket) };
}

function subjectOf(socket: TLSSocket): Identity | undefined {
  const subject = socket.getPeerCertificate().subject as unknown as Record<string, unknown> | undefined;
  const { CN: nodeId, OU: unit, O: organization } = subject ?? {};
  const role = unit === ROLE_OU.manager ? 'manager' : unit === ROLE_OU.worker ? 'worker' : undefined;
  if (typeof nodeId !== 'string' || typeof organization !== 'string' || !role) return undefined;
  return { nodeId, role, organization };
}

function keyOf(socket: TLSSocket): Pick<Peer, 'key'> {
  try {
    const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
    return key ? { key } : {};
  } catch {
    return {}; // of a kind that no node has
  }
}

function refusalOf(socket: TLSSocket): string {
  if (Object.keys(socket.getPeerCertificate() ?? {}).length === 0) return NO_CERTIFICATE;
  const verdict = String(socket.authorizationError);
  return (
    VERDICTS[verdict] ??
    `the client certificate is not of this swarm, or not of its present root CA (${verdict})`
  );
}
