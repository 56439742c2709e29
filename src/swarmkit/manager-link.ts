import type { ConnectionOptions } from 'node:tls';
import type { DescService } from '@bufbuild/protobuf';
import { createClient, type Client, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Http2Session, type KeepaliveTimes } from '../base/http2-session.ts';

/** One connection to a manager, made with the first call. */
export interface ManagerLink<S extends DescService> {
  readonly client: Client<S>;
  /** Whether it ended because the manager did not answer. */
  readonly isSilent: boolean;
  /** Ends every call, and the connection. */
  close(): void;
}

export interface ManagerLinkOptions {
  /** `host:port` of the swarm's port. */
  readonly addr: string;
  /** From `managerTls`, or `ANY_MANAGER_TLS`. */
  readonly tls: ConnectionOptions;
  readonly times: KeepaliveTimes;
  /** Of one message. */
  readonly messageMaxBytes: number;
  /** For a call of one message and one answer that says no time of its own; unlimited when not given. */
  readonly callMaxMs?: number;
}

/** A service of the swarm's port of a manager, over gRPC. */
export function linkToManager<S extends DescService>(
  service: S,
  { addr, tls, times, messageMaxBytes: readMaxBytes, callMaxMs }: ManagerLinkOptions,
): ManagerLink<S> {
  const baseUrl = `https://${addr}`;
  const sessionManager = new Http2Session(baseUrl, tls, times);
  const options = { baseUrl, sessionManager, acceptCompression: [], readMaxBytes };
  const unlimited = createGrpcTransport(options);
  const limited = callMaxMs && createGrpcTransport({ ...options, defaultTimeoutMs: callMaxMs });
  const transport: Transport = limited
    ? { ...unlimited, unary: (...call) => limited.unary(...call) }
    : unlimited;
  return {
    client: createClient(service, transport),
    get isSilent() {
      return sessionManager.isSilent;
    },
    close: () => sessionManager.close(),
  };
}
