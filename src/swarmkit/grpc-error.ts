import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { SwarmError, messageOf, type ErrorCode } from '../base/errors.ts';

const GRPC_CODE: Record<ErrorCode, Code> = {
  invalid: Code.InvalidArgument,
  unauthorized: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  'not-found': Code.NotFound,
  'not-modified': Code.FailedPrecondition,
  conflict: Code.FailedPrecondition,
  unavailable: Code.Unavailable,
  'no-manager': Code.Unavailable,
  unsupported: Code.Unimplemented,
  'too-large': Code.ResourceExhausted,
  timeout: Code.DeadlineExceeded,
  internal: Code.Internal,
};

/** Node's word for a stream whose sender went away in its middle. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** What an agent is told of a failure. The words of what is no SwarmError are ours alone. */
function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof SwarmError)
    return new ConnectError(error.message, GRPC_CODE[error.code], undefined, undefined, error);
  if (isGone(error))
    return new ConnectError('the caller is gone', Code.Canceled, undefined, undefined, error);
  return new ConnectError('internal error', Code.Internal, undefined, undefined, error);
}

/** The error with its gRPC code; `onFault` is told of one that nobody foresaw. */
export function foreseenError(
  method: string,
  error: unknown,
  onFault: (method: string, words: string) => void,
): ConnectError {
  const isForeseen = error instanceof ConnectError || error instanceof SwarmError || isGone(error);
  if (!isForeseen) onFault(method, messageOf(error));
  return toConnectError(error);
}

/** Gives every failure of a service its gRPC code; `onFault` is told of those that nobody foresaw. */
export function errorInterceptor(onFault: (method: string, words: string) => void): Interceptor {
  const told = (method: string, error: unknown): ConnectError => foreseenError(method, error, onFault);
  return (next) => async (request) => {
    const { name } = request.method;
    try {
      const response = await next(request);
      return response.stream
        ? { ...response, message: guarded(response.message, (error) => told(name, error)) }
        : response;
    } catch (error) {
      throw told(name, error);
    }
  };
}

async function* guarded<T>(
  messages: AsyncIterable<T>,
  translate: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}
