import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, cpSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { engineCall } from './engine-api.ts';
import type { EngineBinaries } from './engines.ts';
import { imageArchive } from './images.ts';
import { ended, hostEnvironment, spawnNamespace, type Switch } from './network.ts';
import { runName, thawDying, type RunFolder } from './run-folder.ts';
import {
  isAlive,
  noDockerConfig,
  procFile,
  processIds,
  run,
  tryRun,
  until,
  type CommandResult,
} from './shell.ts';
import { tlsArgs, type TlsFiles } from './tls.ts';

export interface HostPlan {
  readonly name: string;
  readonly ip: string;
  readonly engine: EngineBinaries;
  readonly labels: Readonly<Record<string, string>>;
  readonly extraDockerdArgs: readonly string[];
  /** Added to the daemon's environment. */
  readonly dockerdEnv?: Readonly<Record<string, string>>;
  /** The engine's; 2375, with TLS 2376, if nothing is said. */
  readonly port?: number;
  /** Where the engine keeps networks that it shares with others: `etcd://ip:port`. */
  readonly clusterStore?: string;
  /** The client's files, and the engine's own. */
  readonly tls?: { readonly client: TlsFiles; readonly server: TlsFiles };
}

/** Where engines that share networks tell each other of their containers. */
const GOSSIP_PORT = 7946;
/** An engine in a swarm answers nobody until a manager has answered it and its containers are on their networks again: 20 s each. */
const ENGINE_UP_MS = 60_000;

interface PoweredOn {
  /** The host's first process, as this machine numbers it; everything on the host dies with it. */
  readonly initPid: number;
  readonly init: ChildProcess;
  daemon?: { readonly pid: number; readonly child: ChildProcess };
}

/**
 * One Docker host: a Docker Engine in process, mount, network, host name and IPC namespaces of its own, plugged into
 * the run's switch. Its disk survives a power cycle; what runs on it does not.
 */
export class Host {
  readonly name: string;
  /** The engine's socket, as a path on this machine. */
  readonly socket: string;
  readonly engineVersion: string;
  /** A client's files. */
  readonly tls: TlsFiles | undefined;
  /** The files of the engine; a manager on the host has the same. */
  readonly ownTls: TlsFiles | undefined;
  readonly #plan: HostPlan;
  readonly #run: RunFolder;
  readonly #network: Switch;
  readonly #port: string;
  #ip: string;
  #on: PoweredOn | undefined;
  #engineId = '';

  constructor(plan: HostPlan, folder: RunFolder, network: Switch) {
    this.#plan = plan;
    this.#run = folder;
    this.#network = network;
    this.name = plan.name;
    this.#ip = plan.ip;
    this.socket = join(folder.path, `${plan.name}.sock`);
    this.engineVersion = plan.engine.version;
    this.tls = plan.tls?.client;
    this.ownTls = plan.tls?.server;
    this.#port = `port${plan.ip.split('.')[3]}`;
  }

  get ip(): string {
    return this.#ip;
  }

  /** "ip:2375", with TLS "ip:2376", unless another port was asked for. */
  get address(): string {
    const { port, tls } = this.#plan;
    return `${this.#ip}:${port ?? (tls === undefined ? 2375 : 2376)}`;
  }

  /** The engine's ID, as it was when the daemon last started. */
  get engineId(): string {
    return this.#engineId;
  }

  /** Whether its engine has a cluster store. */
  get sharesNetworks(): boolean {
    return this.#plan.clusterStore !== undefined;
  }

  /** The host's first process, for nsenter; undefined while the power is off. */
  get initPid(): number | undefined {
    return this.#on?.initPid;
  }

  /** The daemon's process as this machine numbers it; undefined while it is stopped. */
  get daemonPid(): number | undefined {
    return this.#on?.daemon?.pid;
  }

  /** The daemon's log so far, of all its starts. */
  get log(): string {
    return existsSync(this.#logPath) ? readFileSync(this.#logPath, 'utf8') : '';
  }

  get #logPath(): string {
    return join(this.#run.path, `${this.name}.log`);
  }

  /** The host's disk, seen from inside the run's mount namespace. */
  get #disk(): string {
    return join(this.#run.path, 'data', this.name);
  }

  /** A path on the host (powered on), seen from this machine. */
  #onHost(path: string): string {
    return `/proc/${this.#poweredOn().initPid}/root${path}`;
  }

  /** Where the engine keeps its ID: up to 22 in a key, from 23 on in a file of its data. */
  get #identityFiles(): string[] {
    return ['/etc/docker/key.json', `${this.#disk}/docker/engine-id`].map((path) => this.#onHost(path));
  }

  /** Boots the host and starts its engine. */
  async powerOn(): Promise<void> {
    await this.boot();
    await this.start();
  }

  /** Boots the host without its engine: what that needs at its start can run on the host before it. */
  async boot(): Promise<void> {
    if (this.#on !== undefined) return;
    const disk = this.#disk;
    // /etc is an overlay, so that the engine keeps its identity in a file of its own and no name server is known.
    const script = `set -e
      hostname ${this.name}
      mkdir -p ${disk}/etc/docker ${disk}/work ${disk}/docker
      mount -t overlay -o lowerdir=/etc,upperdir=${disk}/etc,workdir=${disk}/work overlay /etc
      # The identity of an engine of this machine is not the host's.
      [ -e ${disk}/booted ] || { rm -f /etc/docker/key.json; touch ${disk}/booted; }
      rm -f /etc/resolv.conf; echo nameserver 127.0.0.1 > /etc/resolv.conf
      echo ${this.name} > /etc/hostname; echo 127.0.0.1 localhost ${this.name} > /etc/hosts
      mount -t tmpfs -o mode=0755 run /run
      echo ready; exec >/dev/null 2>&1
      while :; do sleep 3600 & wait; done`;
    const { child, initPid } = await spawnNamespace(
      ['nsenter', '-t', `${this.#network.pid}`, '-m'],
      ['--mount', '--net', '--uts', '--ipc', '--pid', '--mount-proc', '--propagation', 'private'],
      ['sh', '-c', script],
    );
    this.#on = { init: child, initPid };
    await this.#network.plug(this.#port, initPid, this.ip);
  }

  /** Pulls the plug: nobody is told, nothing on the host survives, its disk does. */
  async powerOff(): Promise<void> {
    const on = this.#on;
    if (on === undefined) return;
    this.#on = undefined;
    await this.#network.setPort(this.#port, 'down');
    await this.#killAll(on);
    await this.#network.unplug(this.#port);
  }

  /** Ends the host for good, without the care that powerOff takes. */
  async dispose(): Promise<void> {
    const on = this.#on;
    this.#on = undefined;
    if (on !== undefined) await this.#killAll(on);
  }

  /** Kills at once, without waiting: for a process that is about to end. */
  killNow(): void {
    this.#on?.daemon?.child.kill('SIGKILL');
    if (this.#on !== undefined && isAlive(this.#on.initPid)) process.kill(this.#on.initPid, 'SIGKILL');
  }

  /** Starts the daemon and waits until it answers. */
  async start(): Promise<void> {
    const on = this.#poweredOn();
    if (on.daemon !== undefined) return;
    rmSync(this.socket, { force: true }); // a killed daemon leaves it behind
    const log = openSync(this.#logPath, 'a');
    const enter = this.#enter(on);
    // nsenter stays as the daemon's parent, so it must end with this process as the host does: a dead daemon that
    // nobody collects would keep its whole process namespace.
    const command = ['--pdeathsig', 'KILL', 'nsenter', ...enter, 'dockerd', ...this.#dockerdArgs()];
    const child = spawn('setpriv', command, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...hostEnvironment(this.#plan.engine.binFolders), ...this.#plan.dockerdEnv },
    });
    closeSync(log);
    child.unref();
    try {
      const info = await until(`${this.name}: engine up`, ENGINE_UP_MS, async () => {
        if (child.exitCode !== null || child.signalCode !== null) return 'ended';
        if (!existsSync(this.socket)) return undefined;
        return (await engineCall(this.socket, 'GET', '/info', { timeoutMs: 5_000 })) as { ID: string };
      });
      if (info === 'ended') throw new Error(`${this.name}: dockerd ended at its start`);
      this.#engineId = info.ID;
      if (this.sharesNetworks)
        await until(`${this.name}: engine found by others`, 30_000, () => answersAt(this.ip, GOSSIP_PORT));
    } catch (error) {
      throw new Error(`${String(error)}\n${this.log.slice(-3000)}`, { cause: error });
    }
    const pidNamespace = procFile(on.initPid, 'ns/pid');
    const pid = processIds().find(
      (one) => procFile(one, 'ns/pid') === pidNamespace && procFile(one, 'comm') === 'dockerd\n',
    );
    if (pid === undefined) throw new Error(`${this.name}: dockerd answers but has no process`);
    on.daemon = { pid, child };
  }

  /** Asks the daemon to end and waits: it stops its containers, as on any host. */
  async stop(): Promise<void> {
    await this.#endDaemon('SIGTERM');
  }

  /** Kills the daemon alone: containers go on until it starts again. */
  async kill(): Promise<void> {
    await this.#endDaemon('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Freezes the daemon: connections are still accepted, nothing is answered. Containers go on. */
  pause(): void {
    process.kill(this.#daemon().pid, 'SIGSTOP');
  }

  resume(): void {
    const { pid, child } = this.#daemon();
    process.kill(pid, 'SIGCONT');
    child.kill('SIGCONT'); // nsenter stops with its child
  }

  /** Cuts the host off the network; its socket on this machine still works. */
  async cutLink(): Promise<void> {
    await this.#network.setPort(this.#port, 'down');
  }

  async healLink(): Promise<void> {
    await this.#network.setPort(this.#port, 'up');
  }

  /** Gives the host another address of the same network: at once, or from its next start on. Whatever it runs is not told. */
  async moveTo(ip: string): Promise<void> {
    const former = this.#ip;
    this.#ip = ip;
    if (this.#on !== undefined)
      await this.exec('sh', '-c', `ip addr del ${former}/24 dev eth0 && ip addr add ${ip}/24 dev eth0`);
  }

  /** Loads busybox, nginx and redis stand-ins; the ids are the same on every host. */
  async loadImages(archive?: string): Promise<void> {
    const file = archive ?? (await imageArchive());
    const answer = await engineCall(this.socket, 'POST', '/images/load?quiet=1', { file, timeoutMs: 60_000 });
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    if (text.includes('"error"')) throw new Error(`${this.name}: load: ${text}`);
  }

  /** Gives the engine an ID that no one knows, or that of another host: stops the daemon, and starts it again. */
  async changeIdentity(twin?: Host): Promise<void> {
    await this.stop();
    const twins = twin === undefined ? [] : twin.#identityFiles;
    for (const [at, file] of this.#identityFiles.entries()) {
      rmSync(file, { force: true });
      const other = twins[at];
      if (other !== undefined && existsSync(other)) cpSync(other, file);
    }
    await this.start();
  }

  /** `docker …` at this engine's socket with Debian's CLI: its output, or an error with what it said. */
  async docker(...args: string[]): Promise<string> {
    return run('/usr/bin/docker', ['-H', `unix://${this.socket}`, ...args], {
      env: { DOCKER_CONFIG: noDockerConfig },
    });
  }

  /** The same with the exit code as a value. */
  async tryDocker(...args: string[]): Promise<CommandResult> {
    const env = { DOCKER_CONFIG: noDockerConfig };
    return tryRun('/usr/bin/docker', ['-H', `unix://${this.socket}`, ...args], { env });
  }

  /** Runs a command on the host (its network, mounts and processes). */
  async exec(command: string, ...args: string[]): Promise<string> {
    const env = { DOCKER_HOST: undefined };
    return run('nsenter', [...this.#enter(this.#poweredOn()), command, ...args], { env });
  }

  /** nsenter's arguments for whoever starts something on the host that stays. */
  get entry(): readonly string[] {
    return this.#enter(this.#poweredOn());
  }

  /** A folder on the host's disk, as the host sees it; it survives a power cycle. */
  diskFolder(name: string): string {
    return join(this.#disk, name);
  }

  /** A file of the run on this machine, which the host sees by the same path. */
  runFile(name: string): string {
    return join(this.#run.path, `${this.name}-${name}`);
  }

  #enter(on: PoweredOn): string[] {
    return ['-t', `${on.initPid}`, '-m', '-n', '-u', '-i', '-p', '--wd=/'];
  }

  #dockerdArgs(): string[] {
    const { tls, labels, extraDockerdArgs, clusterStore } = this.#plan;
    const security =
      tls === undefined
        ? ['--tls=false'] // without a word about TLS, newer engines wait 15 s before they listen
        : ['--tlsverify', ...tlsArgs(tls.server)];
    return [
      ...['--data-root', `${this.#disk}/docker`, '--pidfile', '/run/docker.pid'],
      ...[
        '-H',
        `unix://${this.socket}`,
        '-H',
        'unix:///run/docker.sock',
        '-H',
        `tcp://0.0.0.0:${this.#tcpPort}`,
      ],
      ...['--cgroup-parent', `/${runName(this.#run.id)}`, '--exec-opt', 'native.cgroupdriver=cgroupfs'],
      ...security,
      ...Object.entries(labels).map(([key, value]) => `--label=${key}=${value}`),
      ...(clusterStore === undefined
        ? []
        : [`--cluster-store=${clusterStore}`, `--cluster-advertise=eth0:${this.#tcpPort}`]),
      ...extraDockerdArgs,
    ];
  }

  get #tcpPort(): string {
    return this.address.split(':')[1] ?? '';
  }

  #poweredOn(): PoweredOn {
    if (this.#on === undefined) throw new Error(`${this.name}: the power is off`);
    return this.#on;
  }

  #daemon(): { pid: number; child: ChildProcess } {
    const daemon = this.#poweredOn().daemon;
    if (daemon === undefined) throw new Error(`${this.name}: the daemon is stopped`);
    return daemon;
  }

  async #endDaemon(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const daemon = this.#on?.daemon;
    if (this.#on === undefined || daemon === undefined) return;
    delete this.#on.daemon;
    if (isAlive(daemon.pid)) process.kill(daemon.pid, signal);
    await until(`${this.name}: dockerd ended`, 60_000, () => (isAlive(daemon.pid) ? undefined : true));
    // Until its parent has taken note of its end, the next one would find the process that its pid file names.
    daemon.child.kill('SIGCONT'); // it may have stopped with it
    await ended(daemon.child);
  }

  async #killAll(on: PoweredOn): Promise<void> {
    on.daemon?.child.kill('SIGKILL');
    if (isAlive(on.initPid)) process.kill(on.initPid, 'SIGKILL');
    await until(`${this.name}: its first process ended`, 30_000, () => {
      thawDying(this.#run.id);
      return isAlive(on.initPid) ? undefined : true;
    });
    await ended(on.init);
  }
}

/** True when something accepts connections there, else undefined. */
function answersAt(host: string, port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const done = (answers: true | undefined): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(undefined));
    socket.once('timeout', () => done(undefined));
  });
}
