import type { Node } from './node.ts';
import type { Task } from './task.ts';

/**
 * Whether a node has its address on every overlay network that a task takes part in. An agent makes a network with that
 * address, and fails a task that comes before it: so a task is sent to its node, with or after the node's attachments,
 * when this is true, and once sent it stays sent. The allocator gives nodes what their tasks need as soon as they are
 * assigned, and takes it back only when no row of a task names both the node and the network. What has no
 * address is a network of the node's own.
 */
export function attachmentsCover(
  { attachments }: Pick<Node, 'attachments'>,
  { networks }: Pick<Task, 'networks'>,
): boolean {
  return networks.every(
    ({ networkId, addresses }) =>
      addresses.length === 0 ||
      attachments.some((attachment) => attachment.networkId === networkId && attachment.addresses.length > 0),
  );
}
