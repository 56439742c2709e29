import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

/**
 * What goes over a connection, as a stream that is no socket. TLS inside TLS reads a socket below JavaScript, where the
 * end of the outer one under the inner one ends the process.
 */
export class InnerStream extends Duplex {
  readonly #outer: Socket;

  /** Takes over a paused connection. */
  constructor(outer: Socket) {
    super({ allowHalfOpen: false });
    this.#outer = outer;
    outer.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) outer.pause();
    });
    outer.once('end', () => this.push(null));
    outer.once('close', () => this.destroy());
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.#outer.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#outer.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#outer.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#outer.destroy();
    done(error);
  }
}
