import type { Availability } from '../../model/index.ts';
import { readAvailability } from '../nodes/availability.ts';
import { field, struct, texts } from '../shapes/compound.ts';
import { text } from '../shapes/scalars.ts';
import { readBodyAs, type Shape } from '../shapes/shape.ts';

/** What `POST /swarm/join` asks for; addresses as written. */
export interface SwarmJoinRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly remoteAddrs: readonly string[];
  readonly token: string;
  readonly availability: Availability;
}

interface JoinBody extends Omit<SwarmJoinRequest, 'availability'> {
  readonly availability: string;
}

const joinBody: Shape<JoinBody> = struct<JoinBody>('JoinRequest', {
  listenAddr: field('ListenAddr', text),
  advertiseAddr: field('AdvertiseAddr', text),
  dataPathAddr: field('DataPathAddr', text),
  remoteAddrs: field('RemoteAddrs', texts),
  token: field('JoinToken', text),
  availability: field('Availability', text),
});

/** Reads the body of `POST /swarm/join`. Throws `invalid` in Docker's words. */
export function readJoinRequest(body: unknown): SwarmJoinRequest {
  const json = readBodyAs(joinBody, body);
  return { ...json, availability: readAvailability(json.availability || 'active') };
}
