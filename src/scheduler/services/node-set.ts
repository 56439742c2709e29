import type { Node } from '../../model/index.ts';
import { NodeInfo } from './node-info.ts';

/** All nodes, by id and in a row. */
export class NodeSet {
  readonly #byId = new Map<string, NodeInfo>();
  #list: readonly NodeInfo[] | undefined;

  get(id: string): NodeInfo | undefined {
    return this.#byId.get(id);
  }

  /** Adds a node without tasks. */
  add(node: Node): NodeInfo {
    const info = new NodeInfo(node);
    this.#byId.set(node.id, info);
    this.#list = undefined;
    return info;
  }

  delete(id: string): void {
    this.#byId.delete(id);
    this.#list = undefined;
  }

  /** In the order in which they came. */
  list(): readonly NodeInfo[] {
    return (this.#list ??= [...this.#byId.values()]);
  }
}
