import { SwarmError } from '../../base/errors.ts';
import { sameValue } from '../../base/same-value.ts';
import { removeNode } from '../../ca/index.ts';
import { queryFlag, readJson } from '../../docker-api/index.ts';
import type { Node, NodeRole } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Handler, Route } from '../context.ts';
import { findOne } from '../find.ts';
import { queryVersion } from '../query.ts';
import { outOfSequence, rpcError } from '../rpc-error.ts';
import { sendList } from '../send-list.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { readAvailability } from './availability.ts';
import { nodeFilters } from './filters.ts';
import { nodeJson, nodeSpec } from './shapes.ts';

/** `GET /nodes` */
const listNodes: Handler = async (call, { store, times, managers }) => {
  const nowMs = times.wallMs();
  const chosen = nodeFilters(call.query).choose([...store.view.all('node')]);
  await sendList(call, chosen, (node) => nodeJson(node, managers, nowMs));
};

/** `GET /nodes/{id}` */
const inspectNode: Handler = async (call, { store, times, nodeId, managers }) => {
  const node = found(store.view, call.param('id'), nodeId);
  call.json(200, nodeJson(node, managers, times.wallMs()));
};

/** `POST /nodes/{id}/update` */
const updateNode: Handler = async (call, { store, nodeId, managers }) => {
  const version = queryVersion(call.query, 'node');
  const { annotations, role, availability } = readBodyAs(nodeSpec, await readJson(call.req));
  const wanted = { annotations, role: readRole(role), availability: readAvailability(availability) };
  const { id, spec, meta } = found(store.view, call.param('id'), nodeId);
  if (meta.version !== version) throw outOfSequence();
  const why =
    wanted.role === 'manager' && spec.role !== 'manager' ? await managers.whyNoManager(id) : undefined;
  if (why !== undefined) throw new SwarmError('unsupported', `node ${id} cannot become a manager: ${why}`);
  const kept = wanted.role === 'worker' && spec.role === 'manager' ? await managers.whyKept(id) : undefined;
  if (kept !== undefined)
    throw rpcError(
      'FailedPrecondition',
      `can't remove member from the raft: this would result in a loss of quorum: ${kept}`,
    );
  await store.update((tx) => {
    const node = found(tx, id, nodeId);
    // What the node says of itself, while its host was waited for, takes nothing from what was asked.
    if (node.meta.version !== version && !sameValue(node.spec, spec)) throw outOfSequence();
    if (wanted.role === 'worker' && node.spec.role === 'manager') checkNotLast(tx, node);
    tx.update('node', { ...node, spec: wanted });
  });
  call.empty(200);
};

/** `DELETE /nodes/{id}` */
const deleteNode: Handler = async (call, { store, times, nodeId }) => {
  const force = queryFlag(call.query, 'force');
  await store.update((tx) => {
    const node = found(tx, call.param('id'), nodeId);
    if (node.spec.role === 'manager')
      throw rpcError(
        'FailedPrecondition',
        `node ${node.id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
      );
    if (!force && node.status.state === 'ready')
      throw rpcError('FailedPrecondition', `node ${node.id} is not down and can't be removed`);
    removeNode(tx, node.id, times.wallMs());
  });
  call.empty(200);
};

export const nodeRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/nodes', handler: listNodes },
  { method: 'GET', pattern: '/nodes/{id}', handler: inspectNode },
  { method: 'DELETE', pattern: '/nodes/{id}', handler: deleteNode },
  { method: 'POST', pattern: '/nodes/{id}/update', handler: updateNode },
];

/** `self` is the node that was asked. */
function found(view: View, reference: string, nodeId: string): Node {
  return findOne(view, 'node', reference === 'self' ? nodeId : reference);
}

function readRole(text: string): NodeRole {
  const role = text.toLowerCase();
  if (role === 'worker' || role === 'manager') return role;
  throw new SwarmError('invalid', `invalid Role: ${JSON.stringify(text)}`);
}

function checkNotLast(view: View, node: Node): void {
  let left = 0;
  for (const { id, spec } of view.all('node')) if (spec.role === 'manager' && id !== node.id) left += 1;
  if (left === 0) throw rpcError('FailedPrecondition', 'attempting to demote the last manager of the swarm');
}
