import { expect, test } from 'vitest';
import { eventually, type TaskRow } from '../swarm-mode/services/service-swarm.ts';
import { clientIn, nameIn, type NetworkSwarm } from './network-swarm.ts';
import { fetchFrom, outside, runAt } from './places.ts';

const LABEL = 'skep.mesh.keep-client-address';
const ASKED = 16;

/** With the label on its service a task sees who asks, whichever node was asked. */
export function clientAddressTests(get: () => NetworkSwarm): void {
  test('it is kept with the label, for every entry node, and only then', async () => {
    const swarm = get();
    const onBalancing = ['--constraint', 'node.hostname!=core-04'];
    await swarm.serve('seen', ['--mode', 'global', ...onBalancing, '-p', '8090:80']);
    const tasks = await swarm.running('seen', swarm.balancing.length);
    const own = await ownAddress(swarm.at(0).ip);
    await seenBy(swarm, tasks, (client) => client !== own);
    await swarm.update('seen', '--label-add', `${LABEL}=true`);
    await seenBy(swarm, tasks, (client) => client === own);
    expect((await swarm.running('seen', tasks.length)).map(({ ID }) => ID).sort()).toEqual(
      tasks.map(({ ID }) => ID).sort(),
    );
    await swarm.update('seen', '--label-rm', LABEL);
    await seenBy(swarm, tasks, (client) => client !== own);
    await swarm.remove('seen');
  });
}

/** Waits until every task answers through every node, and sees clients as `right` says. */
async function seenBy(
  swarm: NetworkSwarm,
  tasks: readonly TaskRow[],
  right: (client: string) => boolean,
): Promise<void> {
  for (const { ip } of swarm.balancing) {
    let last: string[] = [];
    await eventually(`clients of ${ip}`, async () => {
      const urls = Array.from({ length: ASKED }, () => `http://${ip}:8090/`);
      last = (await fetchFrom(outside, ...urls)).split('\n');
      const names = new Set(last.map(nameIn));
      return (names.size === tasks.length && last.every((one) => right(clientIn(one)))) || undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${last.join('\n')}`, { cause: error });
    });
  }
}

/** The address from which this machine asks a host. */
async function ownAddress(ip: string): Promise<string> {
  const route = await runAt(outside, 'ip', '-4', 'route', 'get', ip);
  return / src (\S+)/.exec(route)?.[1] ?? '';
}
