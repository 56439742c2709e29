import { afterAll, beforeAll } from 'vitest';
import type { Discovery } from '../../src/discovery/index.ts';
import type { OpenStore, StoreFixture } from './fixture.ts';

/** For registrations that are to stay for the length of a test. */
export const LONG_MS = 120_000;

/** For a test among concurrent ones: not beside the others of its suite. */
export const ALONE = { concurrent: false };

/** The store of one suite, and what its tests do with it. */
export interface StoreSuite {
  readonly fixture: StoreFixture;
  /** For whatever goes on as long as the suite. */
  readonly signal: AbortSignal;
  /** Another one for each test. */
  readonly newPrefix: () => string;
  /** A client of its own; closed when the suite is over. */
  readonly open: (options?: OpenStore) => Promise<Discovery>;
  /** The addresses, sorted. */
  readonly list: (discovery: Discovery) => Promise<string[]>;
  readonly register: (discovery: Discovery, address: string, ttlMs?: number) => Promise<void>;
}

/** Starts the store before the tests of the suite that this is called in, and stops it after them. */
export function useStore(start: () => Promise<StoreFixture>): StoreSuite {
  let fixture: StoreFixture | undefined;
  const opened: Discovery[] = [];
  const signal = AbortSignal.timeout(10 * 60_000);
  let prefixes = 0;
  const started = (): StoreFixture => {
    if (!fixture) throw new Error('the store is not started');
    return fixture;
  };
  beforeAll(async () => {
    fixture = await start();
  }, 120_000);
  afterAll(async () => {
    for (const one of opened) await one.close?.();
    await fixture?.[Symbol.asyncDispose]();
  }, 60_000);
  return {
    get fixture() {
      return started();
    },
    signal,
    newPrefix: () => `contract/${++prefixes}`,
    open: async (options = {}) => {
      const discovery = await started().open(options);
      opened.push(discovery);
      return discovery;
    },
    list: async (discovery) => (await discovery.list({ signal })).map(({ address }) => address).sort(),
    register: (discovery, address, ttlMs = LONG_MS) => discovery.register(address, { ttlMs, signal }),
  };
}
