import { fileDiscovery, type Wait } from './file.ts';
import { nodesDiscovery } from './nodes.ts';
import type { Discovery, DiscoverySpec, StoreOptions } from './types.ts';

export interface OpenOptions {
  /** How often what can change is looked at again. */
  heartbeatMs: number;
  /** Sleeps between two looks; the real clock unless a test brings its own. */
  wait?: Wait;
  store?: StoreOptions;
  /** How long engines stay whose registrations a store lost; the default time to live of `join` if nothing is said. */
  graceMs?: number;
}

/**
 * Opens a discovery; starts nothing by itself. Rejects with `invalid` for what cannot be read. The stores are loaded
 * when they are needed: an agent, of which every host has one, holds no more in memory than its own.
 */
export async function openDiscovery(spec: DiscoverySpec, options: OpenOptions): Promise<Discovery> {
  switch (spec.scheme) {
    case 'nodes':
      return nodesDiscovery(spec.rest);
    case 'file':
      return fileDiscovery(spec.rest, options.heartbeatMs, options.wait);
    case 'token':
      return (await import('./token/token.ts')).tokenDiscovery(spec.rest, options);
    case 'consul':
      return (await import('./consul/consul.ts')).consulDiscovery(spec.rest, options);
    case 'etcd':
      return (await import('./etcd/etcd.ts')).etcdDiscovery(spec.rest, options);
    case 'zk':
      return (await import('./zk/zk.ts')).zkDiscovery(spec.rest, options);
  }
}
