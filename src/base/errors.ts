/** The closed set of reasons a Skep operation can fail for. */
export type ErrorCode =
  | 'invalid' // the caller's input is wrong
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'not-modified'
  | 'conflict' // the state of something stands in the way
  | 'unavailable' // somebody we need does not answer
  | 'no-manager' // this node is no manager of a swarm, or not now
  | 'unsupported' // known, but not done in a cluster
  | 'too-large'
  | 'timeout'
  | 'internal';

/** An error whose message may be shown to the user as it is. */
export class SwarmError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SwarmError';
    this.code = code;
  }
}

/** The words of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
