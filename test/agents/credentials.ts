import type { webcrypto } from 'node:crypto';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { CA, NodeCA } from '../../proto/generated/swarmkit/ca_pb.js';
import { NodeSpec_Availability } from '../../proto/generated/swarmkit/specs_pb.js';
import { IssuanceStatus_State } from '../../proto/generated/swarmkit/types_pb.js';
import { keyPem, loadX509, newKeyPair } from '../../src/certs/index.ts';

/** What an agent proves itself with; PEM. */
export interface AgentCredentials {
  readonly nodeId: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly rootPem: string;
}

export interface JoinOptions {
  /** host:port of the swarm's port. */
  readonly addr: string;
  readonly token: string;
  readonly availability?: NodeSpec_Availability;
  /** Sent in the place of a good request, for tests of refusals. */
  readonly csr?: Uint8Array;
  /** A key to share among many agents; a new one if nothing is said. */
  readonly keys?: webcrypto.CryptoKeyPair;
}

/** One connection to the swarm's port, made when it is needed. */
export interface Connection {
  readonly transport: Transport;
  close(): void;
}

/** What is shown and asked for when a connection is made. */
export interface ConnectionTls {
  readonly rootPem?: string;
  readonly credentials?: Pick<AgentCredentials, 'certPem' | 'keyPem'>;
  /** `swarm-manager` if nothing is said. */
  readonly serverName?: string;
}

const POLLS_MAX = 50;
const POLL_MS = 100;
const CALL_MAX_MS = 10_000;

/** A connection as an engine makes it: without a root it trusts anybody, as a joiner's first one does. */
export function connectTo(addr: string, { rootPem, credentials, serverName }: ConnectionTls): Connection {
  const nodeOptions = {
    ...(rootPem === undefined ? { rejectUnauthorized: false } : { ca: rootPem }),
    ...(credentials ? { cert: credentials.certPem, key: credentials.keyPem } : {}),
    servername: serverName ?? 'swarm-manager',
    minVersion: 'TLSv1.2' as const,
  };
  const baseUrl = `https://${addr}`;
  const sessionManager = new Http2SessionManager(baseUrl, undefined, nodeOptions);
  const transport = createGrpcTransport({ baseUrl, sessionManager, acceptCompression: [] });
  return { transport, close: () => sessionManager.abort() };
}

/** What `docker swarm join` does before there is an agent. Rejects with the manager's ConnectError when it is refused. */
export async function joinSwarm(options: JoinOptions): Promise<AgentCredentials> {
  const { addr, token, availability = NodeSpec_Availability.ACTIVE } = options;
  const rootPem = await fetchRoot(addr, token);
  const keys = options.keys ?? (await newKeyPair());
  const csr = options.csr ?? (await makeCsr(keys));
  const connection = connectTo(addr, { rootPem, serverName: 'swarm-ca' });
  try {
    const client = createClient(NodeCA, connection.transport);
    const { nodeId } = await client.issueNodeCertificate(
      { csr, token, availability },
      { timeoutMs: CALL_MAX_MS },
    );
    const certPem = await issuedCertificate(connection.transport, nodeId, csr);
    return { nodeId, certPem, keyPem: await keyPem(keys.privateKey), rootPem };
  } finally {
    connection.close();
  }
}

/** A member's new certificate for a new key, asked for over a connection that shows its present one. */
export async function renewCertificate(addr: string, present: AgentCredentials): Promise<AgentCredentials> {
  const keys = await newKeyPair();
  const csr = await makeCsr(keys);
  const connection = connectTo(addr, { rootPem: present.rootPem, credentials: present });
  try {
    const client = createClient(NodeCA, connection.transport);
    const { nodeId } = await client.issueNodeCertificate({ csr }, { timeoutMs: CALL_MAX_MS });
    const certPem = await issuedCertificate(connection.transport, nodeId, csr);
    return { ...present, nodeId, certPem, keyPem: await keyPem(keys.privateKey) };
  } finally {
    connection.close();
  }
}

/** The root that a manager hands out, checked against the token as an engine does. */
export async function fetchRoot(addr: string, token: string): Promise<string> {
  const connection = connectTo(addr, {});
  try {
    const client = createClient(CA, connection.transport);
    const { certificate } = await client.getRootCACertificate({}, { timeoutMs: CALL_MAX_MS });
    const digest = BigInt(`0x${createHash('sha256').update(certificate).digest('hex')}`);
    if (token.split('-')[2] !== digest.toString(36).padStart(50, '0'))
      throw new Error('remote CA does not match fingerprint');
    return Buffer.from(certificate).toString();
  } finally {
    connection.close();
  }
}

/** A request as engines make it: an empty subject, signed by its key; PEM. */
export async function makeCsr(keys: webcrypto.CryptoKeyPair): Promise<Uint8Array> {
  const x509 = await loadX509();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return Buffer.from(`${request.toString('pem')}\n`);
}

/** Polls until the certificate is issued for that very request. */
async function issuedCertificate(transport: Transport, nodeId: string, csr: Uint8Array): Promise<string> {
  const client = createClient(NodeCA, transport);
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    const { status, certificate } = await client.nodeCertificateStatus(
      { nodeId },
      { timeoutMs: CALL_MAX_MS },
    );
    const own = certificate && Buffer.compare(certificate.csr, csr) === 0;
    if (status?.state === IssuanceStatus_State.ISSUED && own)
      return Buffer.from(certificate.certificate).toString();
    await pause(POLL_MS);
  }
  throw new Error('the certificate was not issued');
}
