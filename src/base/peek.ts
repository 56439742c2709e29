import type { Socket } from 'node:net';

/**
 * Calls back with the first bytes of a connection, as many as `enough` asks for; they stay to be read, and the
 * connection is paused. One that ends or takes longer than `timeoutMs` before there are enough is closed.
 */
export function peek(
  socket: Socket,
  timeoutMs: number,
  enough: (seen: Buffer) => boolean,
  done: (seen: Buffer) => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    if (!enough(seen)) return;
    stop();
    socket.pause();
    socket.unshift(seen);
    done(seen);
  };
  const onEnd = (): void => void socket.end();
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
}
