import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { SwarmError, messageOf } from '../../base/errors.ts';
import { hostOf, portOf } from '../../base/host-port.ts';
import { managerTls, ROLE_OU, type SwarmCredentials } from '../identity.ts';

/** Protocols between managers, in the TLS hello. */
export const RELAY_PROTOCOL = 'skep-relay';
export const API_PROTOCOL = 'skep-api';

/** A manager that others go to. */
export interface ManagerPlace {
  readonly nodeId: string;
  /** `host:port` of its swarm port. */
  readonly addr: string;
}

export interface SocketWish {
  readonly credentials: SwarmCredentials;
  readonly protocol: typeof RELAY_PROTOCOL | typeof API_PROTOCOL;
  /** For the connection and the handshake together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How soon a dead line that carries nothing is found; where something is on its way, those who sent it look. */
const PROBE_MS = 10_000;

/**
 * A connection to another manager over TLS, both ends proven. Rejects with `unavailable` where nobody answers, or
 * another one than was meant. The caller has to listen to its errors and to close it.
 */
export async function openManagerSocket(place: ManagerPlace, wish: SocketWish): Promise<TLSSocket> {
  const { credentials, protocol, timeoutMs, signal } = wish;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({
    host: hostOf(place.addr),
    port: portOf(place.addr),
    ...managerTls(credentials),
    ALPNProtocols: [protocol],
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, PROBE_MS);
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const onAbort = (): void => reject(signal.reason);
  socket.once('secureConnect', resolve);
  socket.on('error', reject);
  socket.once('close', () => reject(new Error('it closed the connection')));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await promise;
    if (socket.alpnProtocol !== protocol) throw new Error('it does not speak with other managers');
    checkSubject(socket.getPeerCertificate(), place.nodeId);
    return socket;
  } catch (cause) {
    socket.destroy();
    throw new SwarmError('unavailable', `manager ${place.addr}: ${messageOf(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** The root has signed it; but another manager may have the address by now. */
function checkSubject({ subject }: PeerCertificate, nodeId: string): void {
  if (subject?.CN !== nodeId || subject.OU !== ROLE_OU.manager)
    throw new Error(`it is not the manager ${nodeId}`);
}
