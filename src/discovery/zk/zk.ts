import { SwarmError } from '../../base/errors.ts';
import type { OpenOptions } from '../open.ts';
import type { Discovery } from '../types.ts';

export function zkDiscovery(_rest: string, _options: OpenOptions): Discovery {
  throw new SwarmError('unsupported', 'zk:// discovery is not available yet');
}
