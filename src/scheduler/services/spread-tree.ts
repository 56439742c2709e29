import type { Node } from '../../model/index.ts';
import type { Dealer } from './dealer.ts';
import { labelReader } from './node-facts.ts';
import type { NodeInfo } from './node-info.ts';

/** The nodes with one value of a preference; those of a leaf share the values of all. */
interface Branch {
  /** Of the service, on all its nodes, also those that take no more. */
  tasks: number;
  readonly children: Map<string, Branch>;
  readonly nodes: NodeInfo[];
  dealer: Dealer | undefined;
}

function newBranch(): Branch {
  return { tasks: 0, children: new Map(), nodes: [], dealer: undefined };
}

/**
 * Spreads tasks evenly over the values of the first preference, those of each over the values of the second, and so
 * on; then the dealer has its say. What is no label is no preference, as in SwarmKit; a node without the label
 * has the value ''.
 */
export class SpreadTree {
  readonly #root = newBranch();
  readonly #readers: readonly ((node: Node) => string)[];
  readonly #serviceId: string;
  readonly #deal: (nodes: readonly NodeInfo[]) => Dealer;

  constructor(
    spreadOver: readonly string[],
    serviceId: string,
    deal: (nodes: readonly NodeInfo[]) => Dealer,
  ) {
    this.#readers = spreadOver.flatMap((descriptor) => labelReader(descriptor) ?? []);
    this.#serviceId = serviceId;
    this.#deal = deal;
  }

  /** Every node is added, for its tasks are counted; `fits` says whether it takes any. */
  add(info: NodeInfo, fits: boolean): void {
    let branch = this.#root;
    if (this.#readers.length > 0) {
      const tasks = info.activeTasksOf(this.#serviceId);
      for (const read of this.#readers) {
        branch = childOf(branch, read(info.node));
        branch.tasks += tasks;
      }
    }
    if (fits) branch.nodes.push(info);
  }

  /** Deals up to `count` tasks, and returns how many. */
  deal(count: number, give: (node: NodeInfo) => void): number {
    return this.#dealBranch(this.#root, count, give);
  }

  #dealBranch(branch: Branch, count: number, give: (node: NodeInfo) => void): number {
    if (branch.children.size === 0) return (branch.dealer ??= this.#deal(branch.nodes)).deal(count, give);
    let open = [...branch.children.values()];
    let left = count;
    while (left > 0 && open.length > 0) {
      const full = new Set<Branch>();
      for (const [child, share] of shares(open, left)) {
        const dealt = this.#dealBranch(child, share, give);
        child.tasks += dealt;
        left -= dealt;
        if (dealt < share) full.add(child);
      }
      open = open.filter((child) => !full.has(child));
    }
    return count - left;
  }
}

function childOf(branch: Branch, value: string): Branch {
  let child = branch.children.get(value);
  if (!child) {
    child = newBranch();
    branch.children.set(value, child);
  }
  return child;
}

/** How many of `count` tasks each branch gets so that the emptiest are filled up to the same level. */
function shares(open: readonly Branch[], count: number): [Branch, number][] {
  const tasks = open.map((branch) => branch.tasks).sort((a, b) => a - b);
  let width = 0;
  let sum = 0;
  for (const each of tasks) {
    if (each * width - sum > count) break;
    sum += each;
    width++;
  }
  const level = Math.floor((sum + count) / width);
  let over = (sum + count) % width;
  return open.flatMap((branch): [Branch, number][] => {
    if (branch.tasks > level) return [];
    const share = level - branch.tasks + (over-- > 0 ? 1 : 0);
    return share > 0 ? [[branch, share]] : [];
  });
}
