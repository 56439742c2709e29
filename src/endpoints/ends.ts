import { Code, ConnectError } from '@connectrpc/connect';

const REPLACED_WORDS = 'another balancer of this node follows';

/** Whether a manager ended a stream because the node has a newer one. */
export function isReplaced(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Aborted && error.rawMessage === REPLACED_WORDS;
}

/** Why a stream ended, as its balancer is told. */
export const STOPPED = (): ConnectError =>
  new ConnectError('endpoints are not told of at the moment', Code.Unavailable);
export const REPLACED = (): ConnectError => new ConnectError(REPLACED_WORDS, Code.Aborted);
export const REMOVED = (): ConnectError => new ConnectError('the node was removed', Code.NotFound);
export const UNREAD = (): ConnectError => new ConnectError('updates are not read', Code.DeadlineExceeded);
