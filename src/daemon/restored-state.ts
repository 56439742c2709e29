import { SwarmError } from '../base/errors.ts';
import type { Node } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import type { LocalConfig } from './state-folder.ts';

/** Agents would follow a manager that goes back to what was: two of one swarm, each with a state of its own, must never be. */
export function livesOn(addr: string): string {
  return (
    `the swarm whose backup was restored here lives: its manager at ${addr} answers. To begin again from the backup, stop the other ` +
    'managers for good and restart this one; docker swarm leave --force forgets what was restored'
  );
}

/** After a restore on a fresh disk: what the swarm itself knows of its manager. Throws `unavailable` where it has several. */
export function localOf(store: Store): Omit<LocalConfig, 'store'> {
  const managers: Node[] = [];
  for (const node of store.view.all('node')) if (node.managerAddr !== undefined) managers.push(node);
  const [node] = managers;
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(node?.managerAddr ?? '') ?? [];
  if (!node || managers.length > 1 || host === '')
    throw new SwarmError('unavailable', 'the state does not say which of its nodes this host is');
  const listen = { host: '0.0.0.0', port: Number(port) };
  return { nodeId: node.id, listen, advertise: { host, port: Number(port) }, dataPath: '' };
}
