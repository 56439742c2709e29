import { SwarmError } from '../../base/errors.ts';
import type { Listing } from '../held-list.ts';
import type { Lock, LockOptions } from '../types.ts';

/** Where things are, without a slash at the begin. */
export interface EtcdPlaces {
  /** Of the registrations. */
  folder: string;
  /** How many endpoints there are to ask. */
  endpoints: number;
}

/** What discovery needs of etcd: one implementation for each of its two key APIs. */
export interface EtcdApi {
  readonly version: 2 | 3;
  /** Resolves where the server has this API. Rejects with ApiMissingError where it has not. */
  probe(signal: AbortSignal): Promise<void>;
  list(signal: AbortSignal): Promise<Listing>;
  /** See StoreWatchOptions.follow; looks at the server every `everyMs` at least. */
  follow(signal: AbortSignal, everyMs: number): AsyncIterable<Listing>;
  register(address: string, ttlMs: number, signal: AbortSignal): Promise<void>;
  lock(key: string, options: LockOptions): Lock;
}

/** The server has no such interface at all. */
export class ApiMissingError extends SwarmError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

export interface CallOptions {
  signal: AbortSignal;
  deadlineMs?: number;
}
