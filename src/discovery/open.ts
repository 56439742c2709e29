import { consulDiscovery } from './consul/consul.ts';
import { etcdDiscovery } from './etcd/etcd.ts';
import { fileDiscovery, type Wait } from './file.ts';
import { nodesDiscovery } from './nodes.ts';
import { tokenDiscovery } from './token/token.ts';
import type { Discovery, DiscoverySpec, StoreOptions } from './types.ts';
import { zkDiscovery } from './zk/zk.ts';

export interface OpenOptions {
  /** How often what can change is looked at again. */
  heartbeatMs: number;
  /** Sleeps between two looks; the real clock unless a test brings its own. */
  wait?: Wait;
  store?: StoreOptions;
}

/**
 * Opens a discovery; starts nothing by itself. Throws `invalid` for entries that cannot be read and `unsupported` for
 * forms that are known but not built.
 */
export function openDiscovery(spec: DiscoverySpec, options: OpenOptions): Discovery {
  switch (spec.scheme) {
    case 'nodes':
      return nodesDiscovery(spec.rest);
    case 'file':
      return fileDiscovery(spec.rest, options.heartbeatMs, options.wait);
    case 'token':
      return tokenDiscovery(spec.rest, options);
    case 'consul':
      return consulDiscovery(spec.rest, options);
    case 'etcd':
      return etcdDiscovery(spec.rest, options);
    case 'zk':
      return zkDiscovery(spec.rest, options);
  }
}
