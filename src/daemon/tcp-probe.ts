import { connect, isIP } from 'node:net';
import { errorCode } from '../base/wire-words.ts';

/** What became of an attempt to connect; `unsure` where the fault may be this host's own. */
export type ProbeResult = 'accepted' | 'refused' | 'silent' | 'unsure';

/** Tries to connect. Never rejects, and always answers within seconds. */
export type Probe = (host: string, port: number, signal: AbortSignal) => Promise<ProbeResult>;

/** Every engine in a swarm has it open to the others. */
const GOSSIP_PORT = 7946;
const PATIENCE_MS = 2_000;
const REFUSED = new Set(['ECONNREFUSED', 'ECONNRESET']);
const SILENT = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Opens a TCP connection and ends it at once, without a byte. */
export const tcpProbe: Probe = (host, port, signal) => {
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const socket = connect({ host, port });
  const giveUp = (): void => end('unsure');
  const timer = setTimeout(() => end('silent'), PATIENCE_MS);
  const end = (result: ProbeResult): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    socket.destroy();
    resolve(result);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  socket.once('connect', () => end('accepted'));
  socket.on('error', (error) => {
    const code = errorCode(error);
    end(REFUSED.has(code) ? 'refused' : SILENT.has(code) ? 'silent' : 'unsure');
  });
  if (signal.aborted) giveUp();
  return promise;
};

/** Whether the host of a swarm's node neither takes nor refuses a connection. Never rejects. */
export async function isSilent(host: string, signal: AbortSignal): Promise<boolean> {
  return isIP(host) > 0 && (await tcpProbe(host, GOSSIP_PORT, signal)) === 'silent';
}
