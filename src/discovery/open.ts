import { SwarmError } from '../base/errors.ts';
import { fileDiscovery, type Wait } from './file.ts';
import { nodesDiscovery } from './nodes.ts';
import type { Discovery, DiscoverySpec } from './types.ts';

export interface OpenOptions {
  /** How often what can change is looked at again. */
  heartbeatMs: number;
  /** Sleeps between two looks; the real clock unless a test brings its own. */
  wait?: Wait;
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
    case 'consul':
    case 'etcd':
    case 'zk':
      throw new SwarmError('unsupported', `${spec.scheme}:// discovery is not available yet`);
  }
}
