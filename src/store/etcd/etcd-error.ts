import { Code, ConnectError } from '@connectrpc/connect';
import { SwarmError } from '../../base/errors.ts';
import { troubleWords } from './trouble-words.ts';

/**
 * What is known of a request that failed: it never left (`not-sent`), etcd looked at it and did nothing (`refused`), or it may
 * have been done, or may be done yet (`unknown`).
 */
export type Outcome = 'not-sent' | 'refused' | 'unknown';

/** A request to etcd that failed. */
export class EtcdError extends SwarmError {
  readonly outcome: Outcome;
  /** What was asked for is not kept any more. */
  readonly isCompacted: boolean;
  /** There was no answer in time. */
  readonly isLate: boolean;
  /** The user is not known, or not known any more. */
  readonly isUnauthenticated: boolean;

  constructor(message: string, outcome: Outcome, options: { cause?: unknown } = {}) {
    super('unavailable', message, options);
    this.outcome = outcome;
    const said = options.cause instanceof ConnectError ? options.cause : undefined;
    this.isCompacted = said?.code === Code.OutOfRange && said.rawMessage.includes('compacted');
    const { cause } = options;
    this.isLate =
      said?.code === Code.DeadlineExceeded || (cause instanceof SwarmError && cause.code === 'timeout');
    this.isUnauthenticated =
      said?.code === Code.Unauthenticated ||
      (said?.code === Code.InvalidArgument && /user name is empty|auth store is old/.test(said.rawMessage));
  }
}

/** Codes with which etcd says that it did nothing; of all others it may have done it. */
const REFUSALS: readonly Code[] = [
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.ResourceExhausted,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
];

/** Of a call that was sent. */
export function etcdError(endpoint: string, error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  const said = error instanceof ConnectError ? error : undefined;
  const outcome = said && REFUSALS.includes(said.code) ? 'refused' : 'unknown';
  return new EtcdError(`etcd at ${endpoint}: ${troubleWords(error)}`, outcome, { cause: error });
}
