import type { Commands } from './kernel/commands.ts';
import type { NetnsFile } from './namespaces.ts';
import type { HoldPort } from './ports/reserved-ports.ts';

/** What the balancer needs of its host; a made-up one in tests. */
export interface HostAccess {
  readonly commands: Commands;
  /** The namespaces that engines keep by files. */
  readonly listNamespaces: () => Promise<readonly NetnsFile[]>;
  /** The number of the namespace that a file keeps; 0 where there is none. */
  readonly inodeOf: (path: string) => Promise<number>;
  readonly holdPort: HoldPort;
  /** The process's own user. */
  readonly uid: number;
  readonly hasIpvs: () => boolean;
}
