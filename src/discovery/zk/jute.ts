import { SwarmError } from '../../base/errors.ts';

/** Writes ZooKeeper's binary records: big-endian numbers, everything else behind its length. */
export class JuteWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  long(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(value);
    this.#parts.push(part);
    return this;
  }

  bool(value: boolean): this {
    this.#parts.push(Buffer.from([value ? 1 : 0]));
    return this;
  }

  bytes(value: Buffer): this {
    this.int(value.length).#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value, 'utf8'));
  }

  /** What was written, behind its length: a frame as it goes over the wire. */
  frame(): Buffer {
    const length = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const head = Buffer.alloc(4);
    head.writeInt32BE(length);
    return Buffer.concat([head, ...this.#parts]);
  }
}

/** Reads a record. Throws `unavailable` where it ends too early or a length is impossible. */
export class JuteReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  int(): number {
    return this.#take(4).readInt32BE();
  }

  long(): bigint {
    return this.#take(8).readBigInt64BE();
  }

  bool(): boolean {
    return this.#take(1)[0] !== 0;
  }

  /** A length of -1 stands for no value; it reads as an empty one. */
  bytes(): Buffer {
    const length = this.int();
    return length === -1 ? Buffer.alloc(0) : this.#take(length);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  texts(): string[] {
    const count = this.int();
    // Each takes four bytes at least: a count beyond that is a lie, and must not become a loop.
    if (count > this.#left() / 4) throw garbled();
    return Array.from({ length: Math.max(0, count) }, () => this.text());
  }

  skip(bytes: number): this {
    this.#take(bytes);
    return this;
  }

  #left(): number {
    return this.#data.length - this.#at;
  }

  #take(length: number): Buffer {
    if (length < 0 || length > this.#left()) throw garbled();
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }
}

/** Of an answer that cannot be read. */
export function garbled(): SwarmError {
  return new SwarmError('unavailable', 'an answer that is not of the ZooKeeper protocol');
}
