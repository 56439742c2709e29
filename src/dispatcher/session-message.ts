import { create, toBinary } from '@bufbuild/protobuf';
import { SessionMessageSchema, type SessionMessage } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { SwarmError } from '../base/errors.ts';
import type { Node } from '../model/index.ts';
import type { View } from '../store/index.ts';
import { networkKeyToWire, nodeToWire } from '../swarmkit/index.ts';
import type { ManagerAddress } from './types.ts';

/** What an agent is told of its node and the managers. Throws when there is no manager to tell of, or it can't be said. */
export function sessionMessage(
  view: View,
  node: Node,
  sessionId: string,
  managers: readonly ManagerAddress[],
): SessionMessage {
  // An agent forgets every manager that is not listed; with none it would be lost for good.
  if (managers.length === 0) throw new SwarmError('unavailable', 'no manager is known');
  const cluster = view.cluster();
  return create(SessionMessageSchema, {
    sessionId,
    node: nodeToWire(node, cluster, (id) => view.get('network', id)),
    managers: managers.map(({ nodeId, addr }) => ({ peer: { nodeId, addr }, weight: 1n })),
    networkBootstrapKeys: (cluster?.networkKeys ?? []).map(networkKeyToWire),
    RootCA: new TextEncoder().encode(cluster?.rootCa.certPem ?? ''),
  });
}

/** Of all in a message that an agent acts on: two messages with the same one tell the same. */
export function tellingOf(message: SessionMessage): Uint8Array {
  const { node, ...rest } = message;
  const telling = { ...node, meta: undefined, status: undefined, description: undefined };
  return toBinary(SessionMessageSchema, { ...rest, node: telling } as SessionMessage);
}
