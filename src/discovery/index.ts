export { createToken } from './create-token.ts';
export { Election, type ElectionOptions } from '../base/election.ts';
export { openDiscovery, type OpenOptions } from './open.ts';
export { parseDiscovery } from './spec.ts';
export type {
  Acquired,
  Discovery,
  DiscoveryEvent,
  DiscoverySpec,
  Entry,
  Lock,
  LockOptions,
  Scheme,
  StoreOptions,
} from './types.ts';
