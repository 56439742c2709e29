import type { Node } from '../model/index.ts';
import type { StoreEvent } from '../store/index.ts';
import type { RootIssuer } from './root-issuer.ts';

/** Which nodes have not gone over to a new root yet, by what their agents say of their certificates. */
export class Followers {
  /** The root that they follow to; PEM. */
  readonly rootPem: string;
  /** Their ids. */
  readonly behind = new Set<string>();
  readonly #issuer: RootIssuer;

  constructor(rootPem: string, issuer: RootIssuer, nodes: Iterable<Node>) {
    this.rootPem = rootPem;
    this.#issuer = issuer;
    for (const node of nodes) this.#note(node);
  }

  /** As SwarmKit: one that was never heard of has not. */
  hasFollowed({ description }: Node): boolean {
    const { subject, publicKey } = this.#issuer;
    return description?.tls.issuerSubject === subject && description.tls.issuerPublicKey === publicKey;
  }

  see(event: StoreEvent): void {
    if (event.kind !== 'node') return;
    if (event.type === 'remove') this.behind.delete(event.object.id);
    else this.#note(event.object);
  }

  #note(node: Node): void {
    if (this.hasFollowed(node)) this.behind.delete(node.id);
    else this.behind.add(node.id);
  }
}
