import { newId } from '../base/ids.ts';
import { SwarmError } from '../base/errors.ts';
import type { Availability, Cluster, NodeCertificate } from '../model/index.ts';
import type { Fresh, LoopContext } from '../store/index.ts';
import { readCsr, type CertificateRequest } from './csr.ts';
import { sameSecret } from './join-token.ts';
import type { KeyOwners } from './key-owners.ts';
import { issueCertificate } from './node-certificate.ts';
import type { OneTimeTokens } from './one-time-tokens.ts';
import { signerOf } from './root-signer.ts';

export interface EnrolmentParts {
  readonly context: LoopContext;
  readonly oneTime: OneTimeTokens;
  readonly owners: KeyOwners;
}

/** A joiner's request. */
export interface JoinRequest {
  /** PEM, as it came. */
  readonly csr: Uint8Array;
  readonly token: string;
  readonly availability: Availability;
}

/** SwarmKit's words; the docker CLI shows them. */
const NO_TOKEN = 'A valid join token is necessary to join this cluster';
const MANAGER_TOKEN =
  'a plain Docker Engine cannot be a manager of this swarm: run swarmd on that host and join through its socket ' +
  '(docker -H unix:///run/swarmd.sock swarm join --token … HOST:2377), or join with the worker token';

/**
 * Lets a joiner in: a node row and its certificate as a worker, in one update. Whose certificate carries the role of
 * manager is never decided here. The same key asking again, because the answer was lost, gets the same node as long as nothing
 * was heard of it; a key that a node uses is refused. Throws `invalid` and `conflict` with words for the user's terminal.
 */
export async function enrol(parts: EnrolmentParts, request: JoinRequest): Promise<string> {
  const { context, oneTime, owners } = parts;
  const { worker, manager } = clusterOf(context).rootCa.joinTokens;
  // Tokens are looked at before the request is read: strangers cost no arithmetic.
  if (sameSecret(request.token, manager)) throw new SwarmError('conflict', MANAGER_TOKEN);
  const isWorker = sameSecret(request.token, worker);
  if (!isWorker && !oneTime.knows(request.token)) throw new SwarmError('invalid', NO_TOKEN);
  const csr = await readCsr(request.csr);
  return owners.alone(csr.keyId, async () => {
    if (isWorker) return enrolNew(parts, request, csr);
    const nodeId = oneTime.redeem(request.token, csr.keyId);
    if (nodeId === undefined) throw new SwarmError('invalid', NO_TOKEN);
    await certifyKnown(parts, nodeId, csr, request.csr);
    return nodeId;
  });
}

async function enrolNew(
  { context, owners }: EnrolmentParts,
  request: JoinRequest,
  csr: CertificateRequest,
): Promise<string> {
  const owner = owners.of(csr.keyId);
  const nodeId = owner ?? newId();
  if (owner !== undefined && !isUnheard(context, owner))
    throw new SwarmError('invalid', 'the certificate request is that of a node which is there already');
  const certificate = await certify(context, csr, request.csr, nodeId);
  await context.store.update((tx) => {
    // It may have been rotated meanwhile.
    if (!sameSecret(request.token, tx.cluster()?.rootCa.joinTokens.worker ?? ''))
      throw new SwarmError('invalid', NO_TOKEN);
    const known = tx.get('node', nodeId);
    if (known) tx.update('node', { ...known, certificate });
    else tx.create('node', newNode(nodeId, request.availability, certificate));
  });
  return nodeId;
}

/** A member that wants a new certificate. */
export interface Renewer {
  readonly nodeId: string;
  /** The key that it has proven to hold. */
  readonly keyId: string | undefined;
}

/** A new certificate for a member, which keeps its id. Throws `not-found` for who is none any more. */
export async function renew(parts: EnrolmentParts, renewer: Renewer, csrPem: Uint8Array): Promise<void> {
  const csr = await readCsr(csrPem);
  const { nodeId, keyId } = renewer;
  await parts.owners.alone(csr.keyId, () => certifyKnown(parts, nodeId, csr, csrPem, keyId));
}

async function certifyKnown(
  { context, owners }: EnrolmentParts,
  nodeId: string,
  csr: CertificateRequest,
  csrPem: Uint8Array,
  askedByKey?: string,
): Promise<void> {
  const owner = owners.of(csr.keyId);
  if (owner !== undefined && owner !== nodeId)
    throw new SwarmError('invalid', 'the certificate request is that of another node');
  const signer = signerOf(clusterOf(context).rootCa);
  const certificate = {
    ...(await certify(context, csr, csrPem, nodeId)),
    ...(askedByKey === undefined ? {} : { askedByKey }),
  };
  await context.store.update((tx) => {
    const node = tx.get('node', nodeId);
    const { rootCa } = tx.cluster() ?? {};
    if (rootCa && signerOf(rootCa).certPem !== signer.certPem)
      throw new SwarmError('unavailable', 'the root CA has changed meanwhile');
    if (!node)
      throw new SwarmError('not-found', `node ${nodeId} not found when attempting to renew certificate`);
    tx.update('node', { ...node, certificate });
  });
}

/** Whether nothing was ever heard of a node: its joiner did not get the answer. */
function isUnheard({ store }: LoopContext, id: string): boolean {
  const node = store.view.get('node', id);
  return node?.role === 'worker' && !node.description;
}

async function certify(
  context: LoopContext,
  { publicKey }: CertificateRequest,
  csr: Uint8Array,
  nodeId: string,
): Promise<NodeCertificate> {
  const nowMs = context.times.wallMs();
  const certPem = await issueCertificate(clusterOf(context), { nodeId, role: 'worker', publicKey, nowMs });
  return { csrPem: Buffer.from(csr).toString('latin1'), certPem, state: 'issued' };
}

function clusterOf({ store }: LoopContext): Cluster {
  const cluster = store.view.cluster();
  if (!cluster) throw new SwarmError('no-manager', 'this node is not a swarm manager');
  return cluster;
}

function newNode(id: string, availability: Availability, certificate: NodeCertificate): Fresh<'node'> {
  return {
    id,
    spec: { annotations: { name: '', labels: {} }, role: 'worker', availability },
    role: 'worker',
    status: { state: 'unknown', message: '', addr: '' },
    certificate,
    attachments: [],
  };
}
