import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import {
  CA,
  IssueNodeCertificateResponseSchema,
  NodeCA,
  NodeCertificateStatusResponseSchema,
  type IssueNodeCertificateRequest,
  type IssueNodeCertificateResponse,
  type NodeCertificateStatusRequest,
  type NodeCertificateStatusResponse,
} from '../../proto/generated/swarmkit/ca_pb.js';
import { NodeSpec_Availability, NodeSpec_Membership } from '../../proto/generated/swarmkit/specs_pb.js';
import { IssuanceStatus_State, NodeRole } from '../../proto/generated/swarmkit/types_pb.js';
import type { Availability } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { callerAddr, callerKeyOf, callerOf, lapsedCallerOf, requireNode } from '../swarmkit/index.ts';
import { keyIdOf } from './csr.ts';
import { enrol, renew, type EnrolmentParts, type Renewer } from './enrolment.ts';
import { keyIdOfCertificate, KeyOwners } from './key-owners.ts';
import type { OneTimeTokens } from './one-time-tokens.ts';

const AVAILABILITY: Readonly<Record<NodeSpec_Availability, Availability>> = {
  [NodeSpec_Availability.ACTIVE]: 'active',
  [NodeSpec_Availability.PAUSE]: 'pause',
  [NodeSpec_Availability.DRAIN]: 'drain',
};

/** The two services by which nodes get in and stay. */
export interface CaServices {
  routes(router: ConnectRouter): void;
  close(): void;
}

/**
 * SwarmKit's CA and NodeCA for stock engines. What a certificate says is decided here alone: of a request only the key
 * counts, its role is always worker. Certificates are issued at once, so nothing is ever pending.
 */
export function createCaServices(context: LoopContext, oneTime: OneTimeTokens): CaServices {
  const owners = new KeyOwners(context.store);
  const parts: EnrolmentParts = { context, oneTime, owners };
  return {
    routes: (router) => {
      router.service(CA, { getRootCACertificate: () => rootOf(context) });
      router.service(NodeCA, {
        issueNodeCertificate: (request, call) => issue(parts, request, call),
        nodeCertificateStatus: (request) => statusOf(context, request),
      });
    },
    close: () => owners.close(),
  };
}

function rootOf({ store }: LoopContext): { certificate: Uint8Array } {
  const cluster = store.view.cluster();
  if (!cluster) throw new ConnectError('this node is not a swarm manager', Code.Unavailable);
  return { certificate: Buffer.from(cluster.rootCa.certPem) };
}

async function issue(
  parts: EnrolmentParts,
  request: IssueNodeCertificateRequest,
  call: HandlerContext,
): Promise<IssueNodeCertificateResponse> {
  const { log } = parts.context;
  const { csr, token } = request;
  if (csr.length === 0) throw new ConnectError('no certificate request', Code.InvalidArgument);
  const answer = (nodeId: string): IssueNodeCertificateResponse =>
    create(IssueNodeCertificateResponseSchema, { nodeId, nodeMembership: NodeSpec_Membership.ACCEPTED });
  // A member that shows its certificate renews it, whatever token it sends; as SwarmKit. One that is no member any
  // more may come as a new node, if it has a token.
  if (token === '' || isMember(parts.context, call)) {
    const renewer = requireRenewer(parts.context, call);
    await renew(parts, renewer, csr);
    log.info({ node: renewer.nodeId }, 'certificate renewed');
    return answer(renewer.nodeId);
  }
  const availability = AVAILABILITY[request.availability] ?? 'active';
  const nodeId = await enrol(parts, { csr, token, availability });
  log.info({ node: nodeId, addr: callerAddr(call) }, 'node joined');
  return answer(nodeId);
}

function isMember({ store }: LoopContext, call: HandlerContext): boolean {
  const caller = callerOf(call);
  return (
    caller !== undefined &&
    caller.organization === store.view.cluster()?.id &&
    store.view.get('node', caller.nodeId) !== undefined
  );
}

/**
 * A member, by a certificate that is valid; or, because engines that run renew an expired one too, by the key of the
 * last certificate of its node, or the key by which that was asked for, whose answer may have got lost. No older key is worth
 * anything. A manager's certificate is renewed by swarmd itself; shown here it would be exchanged for a worker's.
 */
function requireRenewer({ store }: LoopContext, call: HandlerContext): Renewer {
  const key = callerKeyOf(call);
  const keyId = key && keyIdOf(key);
  const lapsed = lapsedCallerOf(call);
  if (keyId !== undefined && lapsed?.role === 'worker' && lapsed.organization === store.view.cluster()?.id) {
    const { certPem = '', askedByKey } = store.view.get('node', lapsed.nodeId)?.certificate ?? {};
    if (keyId === keyIdOfCertificate(certPem) || keyId === askedByKey)
      return { nodeId: lapsed.nodeId, keyId };
  }
  if (callerOf(call)?.role === 'manager')
    throw new ConnectError('a manager does not renew its certificate here', Code.PermissionDenied);
  return { nodeId: requireNode(call, store.view).id, keyId };
}

/** An agent takes its certificate only from an answer with the very request that it sent, and the state ISSUED. */
function statusOf(
  { store }: LoopContext,
  { nodeId }: NodeCertificateStatusRequest,
): NodeCertificateStatusResponse {
  if (nodeId === '') throw new ConnectError('no node id', Code.InvalidArgument);
  const certificate = store.view.get('node', nodeId)?.certificate;
  // A row that waits for its engine has none yet.
  if (!certificate || certificate.certPem === '') throw new ConnectError('NotFound', Code.NotFound);
  const status = { state: IssuanceStatus_State.ISSUED };
  return create(NodeCertificateStatusResponseSchema, {
    status,
    certificate: {
      role: NodeRole.WORKER,
      csr: Buffer.from(certificate.csrPem, 'latin1'),
      certificate: Buffer.from(certificate.certPem),
      cn: nodeId,
      status,
    },
  });
}
