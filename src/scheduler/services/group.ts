import { Dealer, levelFor } from './dealer.ts';
import { filtersFor, type ServiceFilter } from './filters.ts';
import type { NodeInfo } from './node-info.ts';
import { SpreadTree } from './spread-tree.ts';
import type { TaskRequest } from './task-request.ts';
import { refusalText } from './refusal-text.ts';

export interface GroupOptions {
  /** By the clock by which the nodes were told of failures. */
  readonly nowMs: number;
  /** From 0 to below 1, as Math.random. */
  readonly random: () => number;
}

/** Tasks of one service and version of its spec, which ask for the same: they are placed together. */
export class TaskGroup {
  readonly request: TaskRequest;
  readonly #filters: readonly ServiceFilter[];
  readonly #depleting: readonly ServiceFilter[];

  constructor(request: TaskRequest) {
    this.request = request;
    this.#filters = filtersFor(request);
    this.#depleting = this.#filters.filter(({ depletes }) => depletes);
  }

  /** Whether a node takes one of them, as it is now. */
  fits(node: NodeInfo): boolean {
    return this.#filters.every((filter) => filter.check(node));
  }

  /**
   * Places up to `count` of them and returns how many; the rest fits nowhere. Each time, `give` has to put a task that is not
   * to end on the node at once. Nodes are filtered and ranked once, so that it costs nodes and tasks added, not multiplied.
   */
  place(
    nodes: readonly NodeInfo[],
    count: number,
    { nowMs, random }: GroupOptions,
    give: (node: NodeInfo) => void,
  ): number {
    const levelOf = levelFor(this.request, nowMs);
    const fitsAgain = (node: NodeInfo): boolean => this.#depleting.every((filter) => filter.check(node));
    const { spreadOver, serviceId } = this.request;
    const tree = new SpreadTree(
      spreadOver,
      serviceId,
      (branch) => new Dealer(branch, levelOf, count, fitsAgain),
    );
    // Among equals the first wins: chance says where the row begins.
    const from = Math.floor(random() * nodes.length);
    for (let index = from; index < nodes.length; index++) this.#add(tree, nodes[index]);
    for (let index = 0; index < from; index++) this.#add(tree, nodes[index]);
    return tree.deal(count, give);
  }

  #add(tree: SpreadTree, node: NodeInfo | undefined): void {
    if (node) tree.add(node, this.fits(node));
  }

  /** Why none of the nodes takes one, in Docker's words and then with the nodes' names; bounded. */
  explain(nodes: readonly NodeInfo[]): string {
    const text = refusalText(nodes, this.#filters);
    return text === undefined ? 'no suitable node' : `no suitable node (${text.docker}): ${text.named}`;
  }

  /** The same for a task that can run on this node only; '' when it takes it. */
  explainNode(node: NodeInfo): string {
    const text = refusalText([node], this.#filters);
    return text === undefined ? '' : `${text.docker}: ${text.named}`;
  }
}
