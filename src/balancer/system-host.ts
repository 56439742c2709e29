import type { HostAccess } from './host-access.ts';
import { SYSTEM_COMMANDS } from './kernel/commands.ts';
import { hasIpvs } from './mode.ts';
import { inodeOf, namespaceLister } from './namespaces.ts';
import { holdSystemPort } from './ports/reserved-ports.ts';

/** The host of this process. */
export const SYSTEM_HOST: HostAccess = {
  commands: SYSTEM_COMMANDS,
  listNamespaces: namespaceLister(),
  inodeOf,
  holdPort: holdSystemPort,
  uid: process.getuid?.() ?? -1,
  hasIpvs,
};
