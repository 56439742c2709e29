import { newId } from '../src/base/ids.ts';
import { createEndpoints, type Endpoints } from '../src/endpoints/index.ts';
import type { NetworkAttachment } from '../src/model/index.ts';
import { startTestSwarm, type TestSwarm } from '../test/agents/index.ts';
import { INGRESS, networkRow, nodeRow, port, serviceRow, taskRow } from '../test/endpoints/rows.ts';
import { until, type Host, type Hosts } from '../test/hosts/index.ts';
import { inNamespace, runAt } from '../test/networks/places.ts';

const UP_MS = 60_000;
const SANDBOXES = '/var/run/docker/netns';

/** Overlay networks as engines have made them on a host: the node's own addresses on them. */
interface OverlayHost {
  readonly host: Host;
  readonly nodeId: string;
  readonly attachments: readonly NetworkAttachment[];
}

/** A network on every host, besides the ingress network, by Docker's own swarm mode: nothing of ours is there yet. */
export async function layOverlay(
  hosts: Hosts,
): Promise<{ readonly networkId: string; readonly nodes: readonly OverlayHost[] }> {
  const [manager, ...workers] = [...hosts];
  if (!manager) throw new Error('there is no host');
  await manager.docker('swarm', 'init', '--advertise-addr', manager.ip);
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  for (const worker of workers) await worker.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
  const subnet = ['--subnet', '10.77.0.0/16'];
  const networkId = await manager.docker('network', 'create', '-d', 'overlay', ...subnet, 'my-net');
  const everywhere = ['-d', '--no-resolve-image', '--mode', 'global', '--network', 'my-net'];
  await manager.docker('service', 'create', ...everywhere, 'busybox', 'sleep', '1000000');
  const sandboxes = { [INGRESS]: 'ingress_sbox', [networkId]: `lb_${networkId.slice(0, 9)}` };
  const nodes = await Promise.all(
    [...hosts].map(async (host) => {
      const attachments: NetworkAttachment[] = [];
      for (const [id, sandbox] of Object.entries(sandboxes))
        attachments.push(attachedTo(id, await ownAddress(host, sandbox)));
      return { host, nodeId: newId(), attachments };
    }),
  );
  return { networkId, nodes };
}

/** The address with its prefix that a sandbox has on its network, once it has one. */
function ownAddress(host: Host, sandbox: string): Promise<string> {
  const place = inNamespace(host, `${SANDBOXES}/${sandbox}`);
  return until(`${host.name}: ${sandbox}`, UP_MS, async () => {
    const shown = await runAt(place, 'ip', '-o', '-4', 'addr', 'show', 'eth0');
    return /inet (\d[\d.]*\/(?!32)\d+) /.exec(shown)?.[1];
  });
}

function attachedTo(networkId: string, ...addresses: string[]): NetworkAttachment {
  return { networkId, addresses, aliases: [], driverOptions: {} };
}

export interface Manager {
  readonly swarm: TestSwarm;
  readonly endpoints: Endpoints;
  /** A task's id, and its address on each of its two networks. */
  readonly task: { readonly id: string; readonly addresses: readonly string[] };
  stop(): Promise<void>;
}

/**
 * A manager in this process, with so many services of so many tasks each, which all have a virtual IP and publish a port.
 * The tasks are rows alone.
 */
export async function startManager(
  { networkId, nodes }: Awaited<ReturnType<typeof layOverlay>>,
  address: string,
  services: number,
  tasksEach: number,
): Promise<Manager> {
  let endpoints: Endpoints | undefined;
  const swarm = await startTestSwarm({
    host: address,
    routes: (router, context) => {
      endpoints ??= createEndpoints(context);
      endpoints.routes(router);
    },
  });
  if (!endpoints) throw new Error('no routes were asked for');
  const network = { ...networkRow('net-77'), id: networkId };
  await swarm.store.batch([networkRow(INGRESS), network], (tx, one) => void tx.create('network', one));
  await swarm.store.batch(nodes, (tx, { nodeId, attachments }) => {
    tx.create('node', { ...nodeRow(nodeId, 2, []), attachments });
  });
  const made = Array.from({ length: services }, (_, n) => serviceOn(networkId, n));
  await swarm.store.batch(made, (tx, service) => void tx.create('service', service));
  const tasks = made.flatMap((service, number) =>
    Array.from({ length: tasksEach }, (_, n) => {
      const at = number * tasksEach + n;
      const rest = `${8 + Math.floor(at / 250)}.${1 + (at % 250)}`;
      const networks = [attachedTo(INGRESS, `10.80.${rest}/16`), attachedTo(networkId, `10.77.${rest}/16`)];
      return taskRow(service, nodes[at % nodes.length]?.nodeId ?? '', 2, { networks });
    }),
  );
  await swarm.store.batch(tasks, (tx, task) => void tx.create('task', task));
  const [chosen] = tasks.slice(Math.floor(tasks.length / 2));
  if (!chosen) throw new Error('there is no task');
  const end = new AbortController();
  const running = endpoints.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await running;
    await swarm.close();
  };
  const addresses = chosen.networks.map(({ addresses: [one = ''] }) => one.replace(/\/.*/, ''));
  return { swarm, endpoints, task: { id: chosen.id, addresses }, stop };
}

function serviceOn(networkId: string, number: number): ReturnType<typeof serviceRow> {
  const made = serviceRow(newId(), 2, { ports: [port(10_000 + number, 80)] });
  const virtualIps = [
    { networkId: INGRESS, addr: `10.80.0.${1 + number}/16` },
    { networkId, addr: `10.77.1.${1 + number}/16` },
  ];
  return { ...made, ...(made.endpoint ? { endpoint: { ...made.endpoint, virtualIps } } : {}) };
}
