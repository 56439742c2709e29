import { once } from 'node:events';
import { SwarmError } from '../base/errors.ts';
import { readEntries } from './entries.ts';
import type { Discovery, DiscoveryEvent } from './types.ts';
import { notRegistrable } from './registration.ts';

/** A fixed list: `a:2375,b,10.0.0.[1:9]`. Throws `invalid` naming the entry that is wrong. */
export function nodesDiscovery(rest: string): Discovery {
  const parts = rest.split(',').map((part) => part.trim());
  const entries = readEntries(parts.map((text, index) => ({ text, where: `node ${index + 1}` })));
  if (entries.length === 0) throw new SwarmError('invalid', 'no node in the discovery argument');

  async function* watch(signal: AbortSignal): AsyncGenerator<DiscoveryEvent> {
    if (signal.aborted) return;
    yield { kind: 'entries', entries };
    if (!signal.aborted) await once(signal, 'abort');
  }
  return {
    scheme: 'nodes',
    list: async () => entries,
    watch: ({ signal }) => watch(signal),
    register: notRegistrable,
  };
}
