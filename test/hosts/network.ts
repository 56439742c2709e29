import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { isAlive, parentOf, processIds, run, until } from './shell.ts';
import { runName, type RunFolder } from './run-folder.ts';

/**
 * Starts a process that ends with this one: the kernel kills it when its parent dies, however that comes, and
 * `unshare --kill-child` passes that on to the first process of the new namespaces. Its own session keeps a Ctrl-C
 * at the terminal away from it.
 */
export async function spawnNamespace(
  enter: readonly string[],
  namespaces: readonly string[],
  command: readonly string[],
): Promise<{ child: ChildProcess; initPid: number }> {
  const args = [...enter, 'unshare', ...namespaces, '--fork', '--kill-child', ...command];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: hostEnvironment(),
  });
  child.unref();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await Promise.race([
    once(child.stdout, 'data'), // the command says "ready" when its namespaces are set up
    once(child, 'exit').then(() => Promise.reject(new Error(`${command[0]}: ended early: ${said}`))),
  ]);
  child.stdout.destroy();
  child.stderr.destroy();
  const initPid = processIds().find((pid) => parentOf(pid) === child.pid);
  if (initPid === undefined) throw new Error(`${command[0]}: has no first process: ${said}`);
  return { child, initPid };
}

/** Waits for the end of a process that was unref'ed at its start. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  await once(child, 'exit');
}

/** What runs on a host sees none of this process's environment but what names it as ours. */
export function hostEnvironment(binFolders: readonly string[] = []): Record<string, string> {
  const path = [...binFolders, '/usr/local/sbin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':');
  const session = process.env['SKEP_TEST_SESSION'];
  return { PATH: path, HOME: '/root', LANG: 'C', ...(session ? { SKEP_TEST_SESSION: session } : {}) };
}

/**
 * The switch all hosts of a run are plugged into: a bridge in a network namespace of its own. This machine's
 * namespace has nothing but one end of a link into it, so its packet filter and that of an engine running there
 * are neither in the way nor changed. The same process holds the mount namespace that the hosts' disks live in.
 */
export class Switch implements AsyncDisposable {
  readonly pid: number;
  readonly #run: RunFolder;
  readonly #child: ChildProcess;

  private constructor(run: RunFolder, child: ChildProcess, pid: number) {
    this.#run = run;
    this.#child = child;
    this.pid = pid;
  }

  /** `inMemory` keeps the hosts' disks in memory: nothing is synced, nothing is left behind. */
  static async start(folder: RunFolder, inMemory: boolean): Promise<Switch> {
    const data = `${folder.path}/data`;
    const mount = inMemory ? `mount -t tmpfs -o mode=0711 skep-hosts ${data}` : ':';
    // The bridge filter is a setting of each network namespace; where the kernel lacks it, nothing is to switch off.
    const script = `set -e
      mkdir -p ${data}; ${mount}
      if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables; fi
      ip link add br0 type bridge forward_delay 0
      ip link set lo up; ip link set br0 up
      echo ready; exec >/dev/null 2>&1
      while :; do sleep 3600 & wait; done`;
    const namespaces = ['--mount', '--net', '--pid', '--propagation', 'private'];
    const { child, initPid } = await spawnNamespace([], namespaces, ['sh', '-c', script]);
    const network = new Switch(folder, child, initPid);
    const outside = runName(folder.id);
    await run('ip', [
      'link',
      'add',
      outside,
      'type',
      'veth',
      'peer',
      'name',
      'uplink',
      'netns',
      `${initPid}`,
    ]);
    await network.#inside('link set uplink master br0\nlink set uplink up\n');
    await run('ip', ['-batch', '-'], {
      input: `addr add ${folder.subnet}.1/24 dev ${outside}\nlink set ${outside} up\n`,
    });
    return network;
  }

  /** Plugs a host in: a link from the switch (`port`) to eth0 in the namespace of the host's first process. */
  async plug(port: string, initPid: number, ip: string): Promise<void> {
    // A fixed hardware address: neighbours remember it over a power cycle.
    const mac = `02:5c:${ip
      .split('.')
      .map((byte) => Number(byte).toString(16).padStart(2, '0'))
      .join(':')}`;
    await this.#inside(
      `link add ${port} type veth peer name eth0 address ${mac} netns ${initPid}\n` +
        `link set ${port} master br0\nlink set ${port} up\n`,
    );
    // No way out of the subnet, and said at once: an engine or a container that asks for the world fails quickly.
    const input =
      `link set lo up\naddr add ${ip}/24 dev eth0\nlink set eth0 up\n` + 'route add unreachable default\n';
    await run('nsenter', ['-t', `${initPid}`, '-n', 'ip', '-batch', '-'], { input });
  }

  async setPort(port: string, state: 'up' | 'down'): Promise<void> {
    await this.#inside(`link set ${port} ${state}\n`);
  }

  /**
   * Takes the link of a host that lost its power away. It would go with its namespace, but connections that nobody can
   * end any more keep that for a while.
   */
  async unplug(port: string): Promise<void> {
    await until(`link ${port} gone`, 10_000, async () => {
      const links = await run('nsenter', ['-t', `${this.pid}`, '-n', 'ip', '-br', 'link']);
      if (!links.includes(`${port}@`)) return true;
      await this.#inside(`link del ${port}\n`);
      return undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (isAlive(this.pid)) process.kill(this.pid, 'SIGKILL');
    await ended(this.#child);
    const outside = `${runName(this.#run.id)}@`;
    await until('link to the switch gone', 10_000, async () =>
      (await run('ip', ['-br', 'link'])).includes(outside) ? undefined : true,
    );
  }

  async #inside(batch: string): Promise<void> {
    await run('nsenter', ['-t', `${this.pid}`, '-n', 'ip', '-batch', '-'], { input: batch });
  }
}
