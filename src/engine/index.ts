export { parseEngineAddress, type EngineAddress } from './address.ts';
export {
  EngineClient,
  engineRefusal,
  mayHaveArrived,
  type CallOptions,
  type EngineAnswer,
} from './client.ts';
export type { EngineTls } from './connector.ts';
export { Broadcast, type Branch } from './broadcast.ts';
export { EventPlace } from './event-place.ts';
export { followEvents, type EngineEvent } from './events.ts';
export { relayHijacked, type HijackedRequest } from './hijack.ts';
export { relay, relayedBody, relayedHeaders, type RelayOptions, type RelayRequest } from './relay.ts';
export { openStream, readRefusal, type EngineStream } from './stream.ts';
