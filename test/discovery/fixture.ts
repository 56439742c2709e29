import type { Discovery, StoreOptions } from '../../src/discovery/index.ts';

export interface OpenStore {
  /** Below the store's root; none if nothing is said. */
  readonly prefix?: string;
  readonly store?: StoreOptions;
  /** How long engines stay whose registrations the store lost. */
  readonly graceMs?: number;
}

/** A real store and ways to hurt it: what the contract suites need of a backend. */
export interface StoreFixture extends AsyncDisposable {
  /** A client of its own, with a heartbeat of a second; the suite closes it. */
  open(options?: OpenStore): Promise<Discovery> | Discovery;
  /** Writes as any other program would; the key has no leading slash. */
  put(key: string, value: string): Promise<void>;
  /** Reads so; undefined where there is nothing. */
  get(key: string): Promise<string | undefined>;
  /** Ends the server in order; its data stays. */
  stop(): Promise<void>;
  /** Starts it at the same address and waits until it serves; `empty`: its data is lost. */
  start(options?: { readonly empty?: boolean }): Promise<void>;
  /** Freezes it: connections are accepted, nothing is answered. */
  pause(): void;
  resume(): void;
}

/** What a store's nature decides. */
export interface StoreTraits {
  /** The shortest time to live that it keeps. */
  readonly shortTtlMs: number;
  /** How long after the last sign of life something with that time to live is gone for sure, with time to spare. */
  readonly goneWithinMs: number;
  /** How many engines register in the test at scale; 1,000 if nothing is said. */
  readonly many?: number;
}
