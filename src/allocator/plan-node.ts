import { attachmentsCover, type NetworkAttachment, type Node, type Task } from '../model/index.ts';
import type { AddressBook } from './address-book.ts';
import { noAddress } from './no-address.ts';
import { nodePlaceKey, NOTHING, type Plan, type Reader, type Wait } from './plan.ts';

/**
 * A node's address on the networks that it takes part in: kept while it does, whatever else changes. What can't be
 * given yet comes back as a wait, beside what can.
 */
export function planNode(
  book: AddressBook,
  view: Pick<Reader, 'get'>,
  node: Node,
  networkIds: Iterable<string>,
): { readonly plan: Plan<readonly NetworkAttachment[]>; readonly wait?: Wait } {
  const owner = `node/${node.id}`;
  const attachments: NetworkAttachment[] = [];
  let wait: Wait | undefined;
  for (const id of networkIds) {
    const network = view.get('network', id);
    if (!network?.allocated || network.spec.nodeLocal) continue;
    const before = node.attachments.find(
      ({ networkId, addresses }) => networkId === id && addresses.length > 0,
    );
    const address = before?.addresses[0] ?? book.network(id)?.takeOne(owner);
    if (address === undefined) {
      wait ??= { ...noAddress(book, network), key: nodePlaceKey(id) };
      continue;
    }
    if (!before) book.note(owner, { networkId: id, address });
    attachments.push(before ?? { networkId: id, addresses: [address], aliases: [], driverOptions: {} });
  }
  const isSame =
    attachments.length === node.attachments.length &&
    attachments.every((one) => node.attachments.includes(one));
  return { plan: isSame ? NOTHING : { kind: 'write', value: attachments }, ...(wait ? { wait } : {}) };
}

/** Whether a task is placed on a node and can't be told to it, because the node has no address on one of its networks. */
export function isHeldBack(node: Node, task: Task): boolean {
  return task.nodeId === node.id && task.status.state === 'assigned' && !attachmentsCover(node, task);
}
