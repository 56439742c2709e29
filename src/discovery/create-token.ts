import type { StoreOptions } from './types.ts';

/**
 * A new token of the service that `tokenUrl` names. Rejects with `unavailable` where none is named, or it does not
 * answer with a token.
 */
export async function createToken(store: StoreOptions, { signal }: { signal: AbortSignal }): Promise<string> {
  return (await import('./token/token.ts')).newToken(store, { signal });
}
