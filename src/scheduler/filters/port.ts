import { PortTable } from '../port-table.ts';
import type { Filter } from '../types.ts';

/** Up to here one look-up a port is fastest; `-p 1-65535:1-65535` is compared from the node's side. */
const FEW = 8;

/** Only nodes where the host ports asked for are free, for running, stopped and coming containers alike. */
export const port: Filter = {
  name: 'port',
  prepare({ ports }) {
    const asked = ports.filter((use) => use.port !== 0);
    if (asked.length === 0) return [];
    const table = new PortTable();
    for (const use of asked) table.add(use);
    return [
      {
        name: 'port',
        get conditions() {
          return asked.map((use) => `port ${use.port} (Bridge mode)`);
        },
        check(node) {
          if (asked.length > FEW) return node.portConflict(table) === undefined;
          for (const use of asked) if (node.portTaken(use)) return false;
          return true;
        },
        explain: (node) => `port ${node.portConflict(table)} in use`,
      },
    ];
  },
};
