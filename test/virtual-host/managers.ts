import { openDiscovery, parseDiscovery } from '../../src/discovery/index.ts';
import { until, type Hosts } from '../hosts/index.ts';
import { freePort } from '../stores/server-process.ts';
import { startSwarm, type Swarm } from './manager.ts';

/** Writes the hosts' engines into the store behind `argument`, for as long as a test lasts. */
export async function registerEngines(argument: string, hosts: Hosts): Promise<void> {
  const discovery = await openDiscovery(parseDiscovery(argument), { heartbeatMs: 1_000 });
  for (const host of hosts)
    await discovery.register(host.address, { ttlMs: 3_600_000, signal: AbortSignal.timeout(30_000) });
  await discovery.close?.();
}

export interface ManagersOptions {
  count: number;
  discovery: string;
  /** Of all of them. */
  args?: readonly string[];
  cliArgs?: readonly string[];
}

/** A manager that takes part in elections, under an address of its own. */
export interface Member extends Swarm {
  readonly advertise: string;
  /** What `docker info` says of it. */
  role(): Promise<{ role: string; primary: string | undefined }>;
  signal(signal: NodeJS.Signals): void;
}

/** Starts managers with --replication and waits until they agree who leads. */
export async function startMembers(hosts: Hosts, options: ManagersOptions): Promise<Member[]> {
  const starts = Array.from({ length: options.count }, () => startMember(hosts, options));
  const members = (await Promise.allSettled(starts)).flatMap((start) =>
    start.status === 'fulfilled' ? [start.value] : [],
  );
  try {
    await Promise.all(starts);
    await primaryOf(members);
    return members;
  } catch (error) {
    await stopAll(members);
    throw error;
  }
}

async function startMember(hosts: Hosts, options: Omit<ManagersOptions, 'count'>): Promise<Member> {
  const advertise = `127.0.0.1:${await freePort('127.0.0.1')}`;
  const args = [
    '-H',
    `tcp://${advertise}`,
    '--replication',
    '--advertise',
    advertise,
    ...(options.args ?? []),
  ];
  const { cliArgs } = options;
  const swarm = await startSwarm(hosts, {
    args,
    discovery: options.discovery,
    ...(cliArgs ? { cliArgs } : {}),
  });
  return {
    ...swarm,
    advertise,
    signal: (signal) => void process.kill(swarm.pid, signal),
    async role() {
      const text = await swarm.docker('info');
      return {
        role: /^ ?Role: (\w+)/m.exec(text)?.[1] ?? '',
        primary: /^ ?Primary: (.+)/m.exec(text)?.[1],
      };
    },
    async stop() {
      resume(swarm.pid);
      await swarm.stop();
    },
  };
}

/** One that a test has frozen does not hear that it is to end. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It has ended already.
  }
}

export async function stopAll(swarms: readonly Swarm[]): Promise<void> {
  await Promise.all(swarms.map((swarm) => swarm.stop()));
}

/** Waits until one of them leads and all the others know it. */
export async function primaryOf(members: readonly Member[]): Promise<Member> {
  return until('a primary that all agree on', 60_000, async () => {
    const roles = await Promise.all(members.map((member) => member.role()));
    const at = roles.findIndex(({ role }) => role === 'primary');
    const leader = members[at];
    if (!leader) return undefined;
    const rest = roles.filter((_, i) => i !== at);
    return rest.every(({ role, primary }) => role === 'replica' && primary === leader.advertise)
      ? leader
      : undefined;
  });
}
