import { messageOf, SwarmError } from '../base/errors.ts';
import type { StoreOptions } from './types.ts';

export type StoreTls = NonNullable<StoreOptions['tls']>;

/** Throws `invalid` for TLS files that cannot be used: once and in words, not at every connection. */
export function checkStoreTls(tls: StoreTls): void {
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  try {
    createSecureContext(tls);
    new X509Certificate(tls.ca); // a CA file without a certificate in it would only fail later, as another trouble
  } catch (error) {
    const files = 'kv.cacertfile, kv.certfile and kv.keyfile cannot be used together';
    throw new SwarmError('invalid', `${files}: ${messageOf(error)}`, { cause: error });
  }
}
