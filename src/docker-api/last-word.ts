import type { Socket } from 'node:net';

const LAST_WORD_MS = 2_000;

/** Says a last word. A peer that then keeps its half open does not keep the connection. */
export function endWith(socket: Socket, text: string): void {
  socket.end(text);
  setTimeout(() => socket.destroy(), LAST_WORD_MS).unref();
}

/** A whole answer in text, for somebody whose request is not read. */
export function plainAnswer(status: string, text: string, version: '1.0' | '1.1' = '1.1'): string {
  return answer(version, status, 'text/plain; charset=utf-8', text);
}

/** A whole answer in the form of Docker's errors. */
export function jsonAnswer(status: string, message: string): string {
  return answer('1.1', status, 'application/json', `${JSON.stringify({ message })}\n`);
}

/** The server's name tells agents, who cannot look further without a certificate, that this is no engine. */
function answer(version: string, status: string, type: string, body: string): string {
  return `HTTP/${version} ${status}\r\nServer: Skep\r\nContent-Type: ${type}\r\nConnection: close\r\n\r\n${body}`;
}
