import { Code, ConnectError } from '@connectrpc/connect';

/** Why a stream ended, as its balancer is told. */
export const STOPPED = (): ConnectError =>
  new ConnectError('endpoints are not told of at the moment', Code.Unavailable);
export const REPLACED = (): ConnectError =>
  new ConnectError('another balancer of this node follows', Code.Aborted);
export const REMOVED = (): ConnectError => new ConnectError('the node was removed', Code.NotFound);
export const UNREAD = (): ConnectError => new ConnectError('updates are not read', Code.DeadlineExceeded);
