import { SwarmError, type ErrorCode } from '../base/errors.ts';

/** gRPC's codes by the names that Go's clients print, and what Docker's API answers for each. */
const CODES = {
  Unknown: 'internal',
  InvalidArgument: 'invalid',
  NotFound: 'not-found',
  AlreadyExists: 'conflict',
  PermissionDenied: 'forbidden',
  FailedPrecondition: 'invalid',
  Unimplemented: 'unsupported',
} as const satisfies Readonly<Record<string, ErrorCode>>;

/**
 * An error as SwarmKit's manager answers dockerd, which passes it on as Go's gRPC client words it:
 * `rpc error: code = NotFound desc = …`.
 */
export function rpcError(code: keyof typeof CODES, words: string): SwarmError {
  return new SwarmError(CODES[code], `rpc error: code = ${code} desc = ${words}`);
}

/** What every update of an object with an old version gets; Docker answers it with 500. */
export function outOfSequence(): SwarmError {
  return rpcError('Unknown', 'update out of sequence');
}
