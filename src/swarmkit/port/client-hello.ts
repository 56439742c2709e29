/** What the first bytes of a connection are: a TLS hello with the protocols that it offers, a part of one, or neither. */
export type FirstBytes =
  { readonly kind: 'hello'; readonly protocols: readonly string[] } | { kind: 'part' | 'other' };

const HANDSHAKE_RECORD = 22;
const RECORD_HEAD = 5;
const CLIENT_HELLO = 1;
const MESSAGE_HEAD = 4;
/** The version and the random bytes before the first field of variable length. */
const FIXED_BYTES = 34;
const EXTENSION_ALPN = 16;
/** Agents' hellos have under 2 KB. */
const HELLO_MAX_BYTES = 16 * 1024;
/** Everybody sends one. */
const RECORDS_MAX = 8;
const PART: FirstBytes = { kind: 'part' };
const OTHER: FirstBytes = { kind: 'other' };

/**
 * Reads the protocols that a TLS client offers (RFC 8446, 4.1.2; RFC 7301), before anybody answers its hello. What makes
 * no sense, or is longer than any hello, is `other`.
 */
export function readFirstBytes(bytes: Buffer): FirstBytes {
  try {
    const message = helloMessage(bytes);
    return message ? { kind: 'hello', protocols: offered(message) } : PART;
  } catch {
    return OTHER;
  }
}

/** The hello, put together from its records; undefined while bytes are missing. Throws for what is none. */
function helloMessage(bytes: Buffer): Buffer | undefined {
  let message: Buffer = Buffer.alloc(0);
  let records = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE_RECORD || ++records > RECORDS_MAX) throw NO_HELLO;
    if (at + RECORD_HEAD > bytes.length) break;
    const end = at + RECORD_HEAD + bytes.readUInt16BE(at + 3);
    message = Buffer.concat([message, bytes.subarray(at + RECORD_HEAD, end)]);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) throw NO_HELLO;
    const whole = message.length < MESSAGE_HEAD ? Infinity : MESSAGE_HEAD + message.readUIntBE(1, 3);
    if (whole <= message.length) return message.subarray(MESSAGE_HEAD, whole);
    if (whole !== Infinity && whole > HELLO_MAX_BYTES) throw NO_HELLO;
    at = end;
  }
  if (bytes.length > HELLO_MAX_BYTES) throw NO_HELLO;
  return undefined;
}

function offered(hello: Buffer): string[] {
  const fields = new Fields(hello);
  fields.skip(FIXED_BYTES);
  fields.block(1); // session
  fields.block(2); // ciphers
  fields.block(1); // compression
  const extensions = fields.isAtEnd ? fields : fields.block(2);
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const data = extensions.block(2);
    if (type === EXTENSION_ALPN) return names(data.block(2));
  }
  return [];
}

function names(list: Fields): string[] {
  const found: string[] = [];
  while (!list.isAtEnd) found.push(list.block(1).text);
  return found;
}

/** Reads one field after the other. Throws when one is longer than what is left. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get text(): string {
    return this.#bytes.toString('latin1');
  }

  skip(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw NO_HELLO;
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  number(width: number): number {
    return this.skip(width).readUIntBE(0, width);
  }

  /** A field that begins with its length. */
  block(width: number): Fields {
    return new Fields(this.skip(this.number(width)));
  }
}

const NO_HELLO = new Error('no TLS hello');
