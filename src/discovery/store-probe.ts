import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { hostOf, portOf } from '../base/host-port.ts';

/** A server that does not say a word in this time is neither. */
const PROBE_MS = 1_000;
/** Of an answer; what it says of TLS stands in its first lines. */
const ENOUGH_CHARS = 4_096;

/** Whether a server answers a plain request with plain HTTP other than that it wants TLS. */
export function answersPlain(endpoint: string): Promise<boolean> {
  const socket = connect({ host: hostOf(endpoint), port: portOf(endpoint) });
  socket.write(`GET / HTTP/1.1\r\nHost: ${endpoint}\r\nConnection: close\r\n\r\n`);
  return verdict(socket, (settle) => {
    let said = '';
    const judge = (): void => settle(said.startsWith('HTTP/1.') && !said.includes('HTTPS server'));
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (said.length > ENOUGH_CHARS) judge();
    });
    socket.on('close', judge);
  });
}

/** Whether a server answers the beginning of TLS with TLS, whatever it thinks of the client's certificate. */
export function answersTls(endpoint: string): Promise<boolean> {
  const tls = process.getBuiltinModule('node:tls');
  const socket = tls.connect({ host: hostOf(endpoint), port: portOf(endpoint), rejectUnauthorized: false });
  return verdict(socket, (settle) => {
    socket.on('secureConnect', () => settle(true));
    socket.on('error', (error: Error & { code?: string }) => settle(error.code?.includes('ALERT') === true));
  });
}

async function verdict(socket: Duplex, listen: (settle: (is: boolean) => void) => void): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), PROBE_MS);
      socket.on('error', () => undefined);
      listen(resolve);
      socket.on('close', () => resolve(false));
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
