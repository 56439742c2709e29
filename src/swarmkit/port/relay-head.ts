import { isIP, type Socket } from 'node:net';
import { peek } from '../../base/peek.ts';
import { plainAddr } from '../identity.ts';

const HEAD_MAX_BYTES = 256;
const LINE_END = 0x0a;

/** One line of JSON before the caller's bytes. */
export function relayHead(addr: string): string {
  return `${JSON.stringify({ addr })}\n`;
}

/**
 * Reads that line and leaves the connection paused before the caller's first byte. Calls back with the address, or with
 * undefined for what is no such line; not at all for a connection that ends or says nothing within `timeoutMs`.
 */
export function readRelayHead(
  socket: Socket,
  timeoutMs: number,
  done: (addr: string | undefined) => void,
): void {
  const isWhole = (seen: Buffer): boolean => seen.length > HEAD_MAX_BYTES || seen.includes(LINE_END);
  peek(socket, timeoutMs, isWhole, (seen) => {
    const end = seen.indexOf(LINE_END);
    if (end < 0 || end > HEAD_MAX_BYTES) return done(undefined);
    socket.read(end + 1);
    done(saidAddr(seen.toString('utf8', 0, end)));
  });
}

function saidAddr(line: string): string | undefined {
  try {
    const { addr } = JSON.parse(line) as { addr?: unknown };
    const plain = typeof addr === 'string' ? plainAddr(addr) : '';
    return isIP(plain) === 0 ? undefined : plain;
  } catch {
    return undefined;
  }
}
