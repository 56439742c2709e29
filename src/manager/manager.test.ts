import { expect, test } from 'vitest';
import { SYSTEM_TIMES } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import { createLog } from '../base/log.ts';
import { createCluster, DEFAULT_CLUSTER_SPEC } from '../ca/index.ts';
import { newManagerNode } from '../model/index.ts';
import { Keyring, memoryBackend, openStore, type LeadTerm } from '../store/index.ts';
import { startManager } from './manager.ts';

const OWN = newId();

/** A lead that is there from the start, until it is given back. */
function leadOf() {
  const over = new AbortController();
  const term: LeadTerm = { signal: over.signal, leads: () => !over.signal.aborted };
  const given = Promise.withResolvers<void>();
  const listeners = new Set<() => void>();
  return {
    given: given.promise,
    get term() {
      return over.signal.aborted ? undefined : term;
    },
    leader: { id: OWN, addr: '127.0.0.1:2377' },
    giveBack: () => {
      over.abort();
      given.resolve();
      for (const one of listeners) one();
    },
    listen: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

test.each([
  ['hangs', () => new Promise<void>(() => undefined)],
  ['fails again and again', () => Promise.reject(new Error('no'))],
])('a lead whose beginning %s is given back, and told of once', async (_what, takeOver) => {
  const store = await openStore(memoryBackend(), {
    keyring: new Keyring(),
    nowMs: () => Date.now(),
    onFault: (error) => expect.fail(String(error)),
  });
  const cluster = await createCluster({ spec: DEFAULT_CLUSTER_SPEC, dataPathPort: 4789 }, Date.now());
  await store.update((tx) => {
    tx.create('cluster', cluster);
    tx.create('node', newManagerNode({ id: OWN, addr: '127.0.0.1:2377', availability: 'active' }));
  });
  const lead = leadOf();
  const lines: string[] = [];
  // Its clock goes a thousand times as fast.
  const times = {
    wallMs: () => SYSTEM_TIMES.wallMs(),
    nowMs: () => SYSTEM_TIMES.nowMs() * 1_000,
    pause: (ms: number, signal: AbortSignal) => SYSTEM_TIMES.pause(ms / 1_000, signal),
  };
  const manager = await startManager(
    { store, times, log: createLog('error', { write: (line) => lines.push(line) }) },
    {
      nodeId: OWN,
      listen: { host: '127.0.0.1', port: 0 },
      lead,
      takeOver: (term) =>
        Promise.race([
          takeOver(),
          new Promise<void>((resolve) => term.signal.addEventListener('abort', () => resolve())),
        ]),
      keeping: {
        objection: () => undefined,
        admit: () => Promise.resolve(undefined),
        release: () => Promise.resolve(),
        care: () => Promise.resolve(),
      },
      there: { all: () => [], listen: () => () => undefined },
      onApi: (_request, response) => void response.destroy(),
    },
  );
  await lead.given;
  expect(manager.leading).toBeUndefined();
  await manager.close();
  await store.close();
  expect(lines.filter((line) => line.includes('can not begin'))).toHaveLength(1);
});
