import { SwarmError } from '../../base/errors.ts';
import { garbled } from './jute.ts';

/** More than the children of the largest pool take; a length beyond it is not from a ZooKeeper. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024;

/** Cuts a stream into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** The frames that `chunk` completes. Throws `unavailable` where a length is impossible, in words of who may speak. */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= 4) {
      const head = this.#peek(4);
      const length = head.readInt32BE();
      if (length < 0 || length > MAX_FRAME_BYTES) throw notZooKeeper(head);
      if (this.#bytes < 4 + length) return;
      const all = this.#peek(4 + length);
      this.#drop(4 + length);
      yield all.subarray(4, 4 + length);
    }
  }

  /** The first chunk joined with as many as it takes to hold `bytes`. */
  #peek(bytes: number): Buffer {
    let count = 0;
    for (let held = 0; held < bytes; count++) held += this.#chunks[count]?.length ?? 0;
    if (count > 1) this.#chunks.splice(0, count, Buffer.concat(this.#chunks.slice(0, count)));
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #drop(bytes: number): void {
    const [first, ...rest] = this.#chunks;
    const left = first?.subarray(bytes) ?? Buffer.alloc(0);
    this.#chunks = left.length > 0 ? [left, ...rest] : rest;
    this.#bytes -= bytes;
  }
}

/** Who answers with these first bytes, if it is no ZooKeeper. */
function notZooKeeper(head: Buffer): SwarmError {
  const text = head.toString('latin1', 0, 4);
  if (text === 'HTTP') return new SwarmError('unavailable', 'HTTP is spoken there; it is no ZooKeeper');
  // A TLS alert or handshake record: its type, then version 3.x.
  if ((head[0] === 0x15 || head[0] === 0x16) && head[1] === 3)
    return new SwarmError('unavailable', 'TLS is spoken there; zk:// needs a port for plain text');
  return garbled();
}
