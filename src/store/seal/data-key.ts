import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type CipherKey,
  type KeyObject,
} from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const [KEY_BYTES, SALT_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 16, 12, 16];
/** What a sealed value begins with: the version of this form. */
const FORM = 1;
/** Every start seals with a key of its own; so many of them are kept at hand. */
const MOST_KEYS = 256;

/**
 * The key that rows are sealed with. What is sealed is bound to where it is kept (`place`), and opens nowhere else. Each process
 * derives a key of its own from a random salt and counts its nonces, so that none comes twice however long a data key is used.
 */
export class DataKey {
  readonly #bytes: Uint8Array;
  /** By salt. As key objects they cost a third of what raw bytes do. */
  readonly #derived = new Map<string, KeyObject>();
  readonly #salt = randomBytes(SALT_BYTES);
  #sealed = 0n;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  static make(): DataKey {
    return new DataKey(randomBytes(KEY_BYTES));
  }

  seal(place: string, plain: Uint8Array): Uint8Array {
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeBigUInt64BE(this.#sealed++, NONCE_BYTES - 8);
    const sealed = encrypted(this.#derive(this.#salt), nonce, place, plain);
    return Buffer.concat([Buffer.of(FORM), this.#salt, nonce, sealed]);
  }

  /** Throws for what this key did not seal, or not for this place. */
  open(place: string, sealed: Uint8Array): Uint8Array {
    if (sealed[0] !== FORM) throw new Error('it is sealed in a form that is not known');
    const salt = sealed.subarray(1, 1 + SALT_BYTES);
    return decrypted(this.#derive(salt), place, sealed.subarray(1 + SALT_BYTES));
  }

  /** This key, sealed with an unlock key; base64. */
  wrapped(unlockKey: Uint8Array, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    return Buffer.concat([nonce, encrypted(unlockKey, nonce, place, this.#bytes)]).toString('base64');
  }

  /** The key that was wrapped so. Throws where that unlock key is not the right one. */
  static unwrapped(unlockKey: Uint8Array, place: string, text: string): DataKey {
    return new DataKey(decrypted(unlockKey, place, Buffer.from(text, 'base64')));
  }

  #derive(salt: Uint8Array): KeyObject {
    const name = Buffer.from(salt).toString('base64');
    const known = this.#derived.get(name);
    if (known) return known;
    if (this.#derived.size >= MOST_KEYS) this.#derived.clear();
    const bytes = hkdfSync('sha256', this.#bytes, salt, 'skep sealed row', KEY_BYTES);
    const key = createSecretKey(new Uint8Array(bytes));
    this.#derived.set(name, key);
    return key;
  }
}

function encrypted(key: CipherKey, nonce: Uint8Array, place: string, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(place));
  const bytes = cipher.update(plain);
  return Buffer.concat([bytes, cipher.final(), cipher.getAuthTag()]);
}

/** Of a nonce and what was encrypted with it. */
function decrypted(key: CipherKey, place: string, sealed: Uint8Array): Uint8Array {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('it is cut off');
  const end = sealed.length - TAG_BYTES;
  const cipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(place));
  cipher.setAuthTag(sealed.subarray(end));
  return Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES, end)), cipher.final()]);
}
