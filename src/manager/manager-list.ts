import type { ManagerAddress } from '../dispatcher/index.ts';
import type { Node } from '../model/index.ts';
import type { Store, StoreEvent } from '../store/index.ts';

/** The managers of a swarm as agents are to know them, kept up to date. */
export class ManagerList {
  readonly #unwatch: () => void;
  #all: readonly ManagerAddress[];

  /** Calls `changed` after each change of the list. */
  constructor(store: Store, changed: () => void) {
    this.#all = read(store);
    this.#unwatch = store.watch((events) => {
      if (!events.some(concernsManagers)) return;
      this.#all = read(store);
      changed();
    });
  }

  get all(): readonly ManagerAddress[] {
    return this.#all;
  }

  close(): void {
    this.#unwatch();
  }
}

function read(store: Store): ManagerAddress[] {
  return [...store.view.all('node')].flatMap(({ id, role, managerAddr }) =>
    role === 'manager' && managerAddr !== undefined ? [{ nodeId: id, addr: managerAddr }] : [],
  );
}

const standing = (node: Node | undefined): string => `${node?.role} ${node?.managerAddr}`;

/** Most changes of nodes are of workers, or of what a manager's engine says. */
function concernsManagers({ kind, type, object, previous }: StoreEvent): boolean {
  if (kind !== 'node') return false;
  if (type === 'update') return standing(object) !== standing(previous);
  return object.managerAddr !== undefined;
}
