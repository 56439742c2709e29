import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { UpdateSchema, type Update } from '../../proto/generated/skep/endpoints_pb.js';

/** A swarm of a thousand services takes two or three. */
const PARTS_MAX = 1_000;

/** Puts updates together that took several messages: one that came in part is none. */
export async function* wholeUpdates(messages: AsyncIterable<Update>): AsyncGenerator<Update> {
  let parts: Update[] = [];
  for await (const message of messages) {
    parts.push(message);
    if (parts.length > PARTS_MAX)
      throw new ConnectError('an update comes in too many parts', Code.ResourceExhausted);
    if (message.more) continue;
    yield parts.length === 1 ? message : joined(parts);
    parts = [];
  }
}

function joined(parts: readonly Update[]): Update {
  const [first] = parts;
  return create(UpdateSchema, {
    ...(first ? { version: first.version, full: first.full } : {}),
    networks: parts.flatMap(({ networks }) => networks),
    goneNetworks: parts.flatMap(({ goneNetworks }) => goneNetworks),
    services: parts.flatMap(({ services }) => services),
    goneServices: parts.flatMap(({ goneServices }) => goneServices),
    questions: parts.flatMap(({ questions }) => questions),
  });
}
