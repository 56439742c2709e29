import type { NetworkAttachment, Node } from '../model/index.ts';
import type { AddressBook } from './address-book.ts';
import { noAddress } from './no-address.ts';
import { NOTHING, type Plan, type Reader, type Wait } from './plan.ts';

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
      wait ??= noAddress(book, network);
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
