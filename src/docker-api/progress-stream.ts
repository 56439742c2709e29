import type { ServerResponse } from 'node:http';
import type { JsonObject } from './body.ts';

/** The answer of a call that tells its progress: JSON objects, one a line, an error as the last of them. */
export class ProgressStream {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Whether the head was sent, so that an error can only be told as a line. */
  get opened(): boolean {
    return this.#response.headersSent;
  }

  /** The reader is slower than the news: what can be left out should be. */
  get behind(): boolean {
    return this.#response.writableNeedDrain;
  }

  open(): void {
    if (this.#response.headersSent || this.#response.destroyed) return;
    this.#response.writeHead(200, { 'content-type': 'application/json' });
    this.#response.flushHeaders();
  }

  send(message: JsonObject): void {
    if (!this.#response.destroyed) this.#response.write(`${JSON.stringify(message)}\r\n`);
  }

  fail(message: string): void {
    this.send({ errorDetail: { message }, error: message });
  }

  end(): void {
    this.#response.end();
  }
}
