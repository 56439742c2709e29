import { X509Certificate } from 'node:crypto';
import type { SwarmCredentials } from '../identity.ts';

/** The id of the swarm that these are of. */
export function organizationOf({ certPem }: SwarmCredentials): string | undefined {
  const { O } = new X509Certificate(certPem).toLegacyObject().subject as { O?: string };
  return O;
}
