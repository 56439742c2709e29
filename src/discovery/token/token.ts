import { backoffMs, pause } from '../../base/async.ts';
import { SwarmError } from '../../base/errors.ts';
import { readRegistrations, type Listing } from '../held-list.ts';
import type { OpenOptions } from '../open.ts';
import { watchStore } from '../store-watch.ts';
import type { Discovery, StoreOptions } from '../types.ts';
import { tokenAddress, tokenService } from './token-address.ts';
import { TokenClient } from './token-client.ts';

/** How soon after a change the list is looked at again; then ever more seldom, down to once a heartbeat. */
const FIRST_LOOK_MS = 1_000;

/**
 * The engines that registered under a token. Throws `invalid` for what is no token and for a URL that is none,
 * `unavailable` where no service is named.
 */
export function tokenDiscovery(rest: string, options: OpenOptions): Discovery {
  const { store = {}, heartbeatMs, wait = pause } = options;
  const { serviceUrl, token } = tokenAddress(rest, store.tokenUrl);
  const client = new TokenClient(serviceUrl, store.tls);
  const path = `/clusters/${token}`;

  const look = async (signal: AbortSignal): Promise<{ listing: Listing; dataId: string | undefined }> => {
    const { text, dataId } = await client.call({ method: 'GET', path, signal });
    return { listing: readListing(serviceUrl, text), dataId };
  };

  async function* follow(signal: AbortSignal): AsyncGenerator<Listing> {
    let known: string | undefined;
    let last = '';
    for (let looks = 0; !signal.aborted; looks += 1) {
      const { listing, dataId } = await look(signal);
      if (known !== undefined && dataId !== known)
        throw new SwarmError('unavailable', `token service ${serviceUrl}: it has lost its registrations`);
      known = dataId;
      const now = JSON.stringify(listing);
      if (now !== last) {
        yield listing;
        looks = 0;
      }
      last = now;
      await wait(backoffMs(looks, Math.min(FIRST_LOOK_MS, heartbeatMs), heartbeatMs, Math.random), signal);
    }
  }

  return {
    scheme: 'token',
    async list({ signal }) {
      const { listing } = await look(signal);
      return readRegistrations(listing).addresses.map((address) => ({ address }));
    },
    watch: ({ signal }) =>
      watchStore({
        follow,
        signal,
        ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
      }),
    async register(address, { ttlMs, signal }) {
      const ttl = Math.max(1, Math.ceil(ttlMs / 1000));
      await client.call({ method: 'POST', path: `${path}?ttl=${ttl}`, body: address, signal });
    },
  };
}

/** See `createToken`. */
export async function newToken(store: StoreOptions, { signal }: { signal: AbortSignal }): Promise<string> {
  const serviceUrl = tokenService(store.tokenUrl);
  const client = new TokenClient(serviceUrl, store.tls);
  const { text } = await client.call({ method: 'POST', path: '/clusters', signal });
  const token = text.trim();
  if (/^[0-9a-f]{32}$/i.test(token)) return token;
  throw new SwarmError('unavailable', `token service ${serviceUrl}: it answered without a token`);
}

function readListing(serviceUrl: string, text: string): Listing {
  const bad = (): SwarmError =>
    new SwarmError('unavailable', `token service ${serviceUrl}: it answered without a list of addresses`);
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw bad();
  }
  // A cluster without an engine was null in the original.
  if (list === null) return { registrations: [] };
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) throw bad();
  return { registrations: list.map((value) => ({ key: 'a registration', value })) };
}
