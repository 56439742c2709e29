import { X509Certificate } from 'node:crypto';
import { SwarmError } from '../base/errors.ts';
import type { Node } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { keyIdOf } from './csr.ts';

/** Which node has which key, by the certificates in the store: one key is never two nodes. */
export class KeyOwners {
  readonly #ownerOf = new Map<string, string>();
  readonly #keyOf = new Map<string, string>();
  /** Keys for which a certificate is being made. */
  readonly #held = new Set<string>();
  readonly #unwatch: () => void;

  constructor(store: Store) {
    this.#unwatch = store.watch((events) => {
      for (const event of events) {
        if (event.kind !== 'node') continue;
        if (event.type === 'remove') this.#forget(event.object.id);
        else if (event.object.certificate !== event.previous?.certificate) this.#note(event.object);
      }
    });
    for (const node of store.view.all('node')) this.#note(node);
  }

  /** The node that has a certificate for this key. */
  of(keyId: string): string | undefined {
    return this.#ownerOf.get(keyId);
  }

  /** Does the work for a key, once at a time. Throws `unavailable` while it is under way: who asks again finds it done. */
  async alone<T>(keyId: string, work: () => Promise<T>): Promise<T> {
    if (this.#held.has(keyId)) throw new SwarmError('unavailable', 'the same request is being answered');
    this.#held.add(keyId);
    try {
      return await work();
    } finally {
      this.#held.delete(keyId);
    }
  }

  close(): void {
    this.#unwatch();
  }

  #note({ id, certificate }: Node): void {
    this.#forget(id);
    const keyId = keyIdOfCertificate(certificate.certPem);
    if (keyId === undefined) return;
    this.#ownerOf.set(keyId, id);
    this.#keyOf.set(id, keyId);
  }

  #forget(nodeId: string): void {
    const keyId = this.#keyOf.get(nodeId);
    if (keyId === undefined) return;
    this.#keyOf.delete(nodeId);
    if (this.#ownerOf.get(keyId) === nodeId) this.#ownerOf.delete(keyId);
  }
}

/** Undefined for a row without a certificate yet, or one that cannot be read. */
export function keyIdOfCertificate(certPem: string): string | undefined {
  if (certPem === '') return undefined;
  try {
    return keyIdOf(new X509Certificate(certPem).publicKey.export({ type: 'spki', format: 'der' }));
  } catch {
    return undefined;
  }
}
