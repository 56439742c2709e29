/** Tells a request's body from what a client sends behind it. */
export interface RequestBody {
  /** How many bytes of the next piece still belong to the body. */
  take(chunk: Buffer): number;
}

const LINE_MAX_BYTES = 1024;

/** Reads the framing (RFC 9112, 6) from a request's headers: name, value, name, value … */
export function requestBody(rawHeaders: readonly string[]): RequestBody {
  let length = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase();
    const value = (rawHeaders[i + 1] ?? '').trim();
    if (name === 'transfer-encoding' && /(^|,)\s*chunked$/i.test(value)) return new ChunkedBody();
    if (name === 'content-length' && /^\d{1,15}$/.test(value)) length = Number(value);
  }
  return new PlainBody(length);
}

class PlainBody implements RequestBody {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  take(chunk: Buffer): number {
    const own = Math.min(this.#left, chunk.length);
    this.#left -= own;
    return own;
  }
}

/** A body in chunks ends with one of length 0 and the empty line behind its trailers. */
class ChunkedBody implements RequestBody {
  #state: 'size' | 'data' | 'trailer' | 'done' = 'size';
  #left = 0;
  #line = '';

  take(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const step = Math.min(this.#left, chunk.length - at);
        this.#left -= step;
        at += step;
        if (this.#left === 0) this.#state = 'size';
        continue;
      }
      const end = chunk.indexOf(0x0a, at);
      const upTo = end < 0 ? chunk.length : end + 1;
      this.#line += chunk.toString('latin1', at, upTo);
      at = upTo;
      // Nothing of what can't be read is let through.
      if (end < 0 && this.#line.length > LINE_MAX_BYTES) this.#state = 'done';
      else if (end >= 0) this.#endLine();
    }
    return at;
  }

  #endLine(): void {
    const line = this.#line.trim();
    this.#line = '';
    if (this.#state === 'trailer') {
      if (line === '') this.#state = 'done';
      return;
    }
    const size = /^[0-9a-f]{1,12}(?=\s*(;|$))/i.exec(line)?.[0];
    if (size === undefined) {
      this.#state = 'done';
      return;
    }
    // The line end behind the data goes with it.
    this.#left = Number.parseInt(size, 16) + 2;
    this.#state = this.#left === 2 ? 'trailer' : 'data';
  }
}
