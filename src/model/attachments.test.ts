import { expect, it } from 'vitest';
import { attachmentsCover } from './attachments.ts';
import type { NetworkAttachment } from './network.ts';

const on = (networkId: string, ...addresses: string[]): NetworkAttachment => ({
  networkId,
  addresses,
  aliases: [],
  driverOptions: {},
});

it('a node covers a task when it has an address on each of its overlay networks', () => {
  const node = { attachments: [on('ingress', '10.0.0.2/24'), on('web', '10.0.1.9/24'), on('late')] };
  expect(attachmentsCover(node, { networks: [] })).toBe(true);
  expect(attachmentsCover(node, { networks: [on('web', '10.0.1.3/24')] })).toBe(true);
  expect(attachmentsCover(node, { networks: [on('web', '10.0.1.3/24'), on('db', '10.0.2.3/24')] })).toBe(
    false,
  );
  expect(attachmentsCover(node, { networks: [on('late', '10.0.3.3/24')] })).toBe(false);
});

it('a network of the node itself needs none', () => {
  expect(attachmentsCover({ attachments: [] }, { networks: [on('host')] })).toBe(true);
});
