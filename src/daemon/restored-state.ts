import { SwarmError } from '../base/errors.ts';
import { hostOf } from '../base/host-port.ts';
import type { Store } from '../store/index.ts';
import type { LocalConfig } from './state-folder.ts';

/** Agents would follow a manager that goes back to what was: two of one swarm, each with a state of its own, must never be. */
export function livesOn(addr: string): string {
  return (
    `the swarm whose backup was restored here lives: its manager at ${addr} answers. To begin again from the backup, stop the other ` +
    'managers for good and restart this one; docker swarm leave --force forgets what was restored'
  );
}

/**
 * After a restore on a fresh disk: what the swarm itself knows of its manager; of several, of the one that has an address of this host.
 * Throws `unavailable` where that does not show.
 */
export function localOf(store: Store, ownAddresses: ReadonlySet<string>): Omit<LocalConfig, 'store'> {
  const managers = [...store.view.all('node')].flatMap(({ id, managerAddr }) =>
    managerAddr === undefined ? [] : [{ id, addr: managerAddr }],
  );
  const here = managers.length > 1 ? managers.filter(({ addr }) => ownAddresses.has(hostOf(addr))) : managers;
  const [node] = here;
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(node?.addr ?? '') ?? [];
  if (!node || here.length > 1 || host === '')
    throw new SwarmError(
      'unavailable',
      `the state does not say which of its nodes this host is: a backup goes to a host with the address of one of its managers (${managers
        .map(({ addr }) => addr)
        .join(', ')})`,
    );
  const listen = { host: '0.0.0.0', port: Number(port) };
  return { nodeId: node.id, listen, advertise: { host, port: Number(port) }, dataPath: '' };
}
