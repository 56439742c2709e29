import type { Annotations } from '../../model/index.ts';
import { rpcError } from '../rpc-error.ts';

/** SwarmKit's rule for what is found by DNS, in a form that takes linear time. */
const DNS_NAME = /^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/i;
const DATA_NAME = /^[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?$/i;

/** Throws `invalid` when a service can't have this name. */
export function checkServiceName({ name }: Annotations): void {
  if (name === '') throw rpcError('InvalidArgument', 'meta: name must be provided');
  if (!DNS_NAME.test(name)) {
    throw rpcError('InvalidArgument', 'name must be valid as a DNS name component');
  }
  if (name.length > 63) throw rpcError('InvalidArgument', 'name must be 63 characters or fewer');
}

/** Throws `invalid` when a secret or config can't have this name. */
export function checkDataName({ name }: Annotations): void {
  if (name === '') throw rpcError('InvalidArgument', 'name must be provided');
  if (name.length > 64 || !DATA_NAME.test(name)) {
    const rule =
      'only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]';
    throw rpcError('InvalidArgument', `invalid name, ${rule}`);
  }
}
