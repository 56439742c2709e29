import { StringDecoder } from 'node:string_decoder';
import { parseExact } from './exact-json.ts';
import { isObject, type Json } from './json.ts';

const LINE_MAX_CHARS = 1024 * 1024;

/**
 * Cuts bytes into the JSON objects that stand in them, one a line. Throws what `garbage` makes where a line is none, or
 * is longer than a million characters.
 */
export class JsonLineReader {
  readonly #decoder = new StringDecoder('utf8');
  readonly #garbage: () => Error;
  #pending = '';

  constructor(garbage: () => Error) {
    this.#garbage = garbage;
  }

  /** The objects that the bytes complete. */
  *push(chunk: Buffer): Generator<Json> {
    this.#pending += this.#decoder.write(chunk);
    let from = 0;
    for (let end = this.#pending.indexOf('\n'); end >= 0; end = this.#pending.indexOf('\n', from)) {
      const line = this.#pending.slice(from, end).trim();
      from = end + 1;
      if (line !== '') yield this.#parse(line);
    }
    this.#pending = this.#pending.slice(from);
    if (this.#pending.length > LINE_MAX_CHARS) throw this.#garbage();
  }

  /** An unfinished last line counts as a line. */
  *end(): Generator<Json> {
    const last = this.#pending.trim();
    this.#pending = '';
    if (last !== '') yield this.#parse(last);
  }

  #parse(line: string): Json {
    try {
      const value = parseExact(line);
      if (isObject(value)) return value;
    } catch {
      // Told below.
    }
    throw this.#garbage();
  }
}

/** The JSON objects of a stream, as they come; see JsonLineReader. */
export async function* jsonLines(chunks: AsyncIterable<Buffer>, garbage: () => Error): AsyncGenerator<Json> {
  const reader = new JsonLineReader(garbage);
  for await (const chunk of chunks) yield* reader.push(chunk);
  yield* reader.end();
}
