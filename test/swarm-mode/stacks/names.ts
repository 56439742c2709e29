import { expect } from 'vitest';
import { engineCall } from '../../hosts/engine-api.ts';
import { until } from '../../hosts/index.ts';
import type { ServiceSwarm, TaskRow } from '../services/service-swarm.ts';

/** Addresses by name. */
type Meanings = Readonly<Record<string, readonly string[]>>;

const asLines = (meanings: Meanings): string =>
  Object.entries(meanings)
    .map(([name, addresses]) => `${name}: ${[...addresses].sort().join(' ')}`)
    .join('\n');

/**
 * How long engines may take to know one another's containers. It is a moment as a rule; what they miss when several
 * networks come at once they learn when they compare all, every 30 s.
 */
const GOSSIP_MS = 75_000;

/** Waits until each name means just these addresses to a task's container: engines tell one another of their containers. */
export async function meansTo(swarm: ServiceSwarm, from: TaskRow, wanted: Meanings): Promise<void> {
  const names = Object.keys(wanted);
  const script = `for name in ${names.join(' ')}; do echo "?$name"; nslookup $name 127.0.0.11; done; true`;
  let found = '';
  await until(`names for ${from.Name} on ${from.Node}`, GOSSIP_MS, async () => {
    const [, ...parts] = (await swarm.exec(from, 'sh', '-c', script)).split(/^\?/m);
    found = asLines(Object.fromEntries(names.map((name, at) => [name, addressesIn(parts[at] ?? '')])));
    return found === asLines(wanted) || undefined;
  }).catch(() => expect(found, `${from.Name} on ${from.Node}`).toBe(asLines(wanted)));
}

/** The answers of busybox's nslookup: a name and its address in turn, after the server's own. */
function addressesIn(said: string): string[] {
  const [, ...answers] = said.split(/^Name:/m);
  return answers.flatMap((answer) => /^Address: (\S+)/m.exec(answer)?.[1] ?? []);
}

interface TaskJson {
  readonly Status: { readonly ContainerStatus?: { readonly ContainerID?: string } };
  readonly NetworksAttachments?: readonly {
    readonly Network: { readonly Spec: { readonly Name: string } };
    readonly Addresses: readonly string[];
  }[];
}

/** The running tasks of a service on a network, as the manager has them. */
export async function placesOf(
  { swarmd }: ServiceSwarm,
  service: string,
  network: string,
): Promise<{
  readonly addresses: readonly string[];
  /** What the tests' web server says of itself in each, in order. */
  readonly pages: readonly string[];
}> {
  const filters = encodeURIComponent(JSON.stringify({ service: [service], 'desired-state': ['running'] }));
  const tasks = (await engineCall(swarmd.socket, 'GET', `/tasks?filters=${filters}`)) as readonly TaskJson[];
  const addresses = tasks.flatMap(({ NetworksAttachments = [] }) =>
    NetworksAttachments.filter(({ Network }) => Network.Spec.Name === network).flatMap(({ Addresses }) =>
      Addresses.map((address) => address.replace(/\/.*/, '')),
    ),
  );
  // A container's host name is the beginning of its id where nothing else is said.
  const names = tasks.map(({ Status }) => Status.ContainerStatus?.ContainerID?.slice(0, 12) ?? '');
  return { addresses, pages: names.map((name) => `<h1>nginx stand-in on ${name}</h1>`).sort() };
}

/** The pages that web servers show to a task's container, in order. */
export function pagesFor(
  swarm: ServiceSwarm,
  from: TaskRow,
  addresses: readonly string[],
): Promise<string[]> {
  const get = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $address 80";
  const script = `for address in ${addresses.join(' ')}; do ${get}; done; true`;
  return until(`all answer ${from.Name} on ${from.Node}`, 20_000, async () => {
    const said = await swarm.exec(from, 'sh', '-c', script);
    const pages = said.match(/^<h1>.*<\/h1>/gm) ?? [];
    return pages.length === addresses.length ? [...pages].sort() : undefined;
  });
}
