import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { NodeSchema, type Node as WireNode } from '../../proto/generated/swarmkit/objects_pb.js';
import { NodeSpec_Membership } from '../../proto/generated/swarmkit/specs_pb.js';
import {
  EncryptionKeySchema,
  IssuanceStatus_State,
  NodeRole,
  type EncryptionKey,
  type NodeDescriptionSchema,
} from '../../proto/generated/swarmkit/types_pb.js';
import type { Cluster, NetworkKey, Node, NodeDescription } from '../model/index.ts';
import { attachmentsToWire, metaToWire, type NetworkById } from './to-wire-task.ts';
import { annotations, given, resources, uint32, uint64 } from './to-wire-values.ts';
import { AVAILABILITY, NODE_STATE } from './wire-enums.ts';

/**
 * A node as its own agent is to see it. Always a worker, whatever the store says: an agent that reads MANAGER renews its
 * certificate without end, and one that holds a manager's certificate starts a raft of its own (SwarmKit's node.go).
 */
export function nodeToWire(node: Node, cluster: Cluster | undefined, networkById: NetworkById): WireNode {
  return create(NodeSchema, {
    id: node.id,
    meta: metaToWire(node.meta),
    spec: {
      annotations: annotations(node.spec.annotations),
      desiredRole: NodeRole.WORKER,
      membership: NodeSpec_Membership.ACCEPTED,
      availability: AVAILABILITY[node.spec.availability],
    },
    ...given('description', node.description, description),
    status: { state: NODE_STATE[node.status.state], message: node.status.message, addr: node.status.addr },
    certificate: {
      role: NodeRole.WORKER,
      cn: node.id,
      status: {
        state:
          node.certificate.state === 'rotate' ? IssuanceStatus_State.ROTATE : IssuanceStatus_State.ISSUED,
      },
    },
    role: NodeRole.WORKER,
    attachments: attachmentsToWire(node.attachments, networkById, false),
    VXLANUDPPort: uint32(cluster?.dataPathPort ?? 0),
  });
}

function description(of: NodeDescription): MessageInitShape<typeof NodeDescriptionSchema> {
  return {
    hostname: of.hostname,
    platform: { architecture: of.platform.architecture, os: of.platform.os },
    resources: resources(of.resources),
    engine: {
      engineVersion: of.engineVersion,
      labels: { ...of.engineLabels },
      plugins: of.plugins.map(({ type, name }) => ({ type, name })),
    },
    fips: of.fips,
  };
}

/** A key of the overlay networks, as every session message carries them. */
export function networkKeyToWire({ subsystem, key, lamportTime }: NetworkKey): EncryptionKey {
  return create(EncryptionKeySchema, {
    subsystem,
    key: new Uint8Array(Buffer.from(key, 'base64')),
    lamportTime: uint64(lamportTime),
  });
}
