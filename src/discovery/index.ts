export { openDiscovery, type OpenOptions } from './open.ts';
export { parseDiscovery } from './spec.ts';
export { type Discovery, type DiscoveryEvent, type DiscoverySpec, type Entry, type Scheme } from './types.ts';
