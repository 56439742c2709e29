import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import {
  hostEnvironment,
  isAlive,
  noDockerConfig,
  parentOf,
  processIds,
  run,
  tryRun,
  until,
  type CommandOptions,
  type CommandResult,
  type Host,
} from '../hosts/index.ts';

export interface SwarmdOptions {
  /** Options of `swarmd` beside its socket, its engine and its state. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The docker CLI that `docker` calls; Debian's if nothing is said. */
  readonly docker?: string;
  /** Where it keeps its state on the host; a new name begins anew. */
  readonly state?: string;
}

const SWARMD = fileURLToPath(new URL('../../bin/swarmd', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 30_000;

/** `swarmd` as a process of a host: its network, mounts and processes. It ends with the host. */
export class Swarmd implements AsyncDisposable {
  readonly host: Host;
  /** Its API, as a path on this machine. */
  readonly socket: string;
  readonly #options: SwarmdOptions;
  #more: readonly string[] = [];
  #program: readonly string[] = [SWARMD];
  #child: ChildProcess | undefined;
  #pid = 0;

  constructor(host: Host, options: SwarmdOptions = {}) {
    this.host = host;
    this.socket = host.runFile('swarmd.sock');
    this.#options = options;
  }

  /** Its process, as this machine numbers it. */
  get pid(): number {
    return this.#pid;
  }

  /** What it has written so far, in all its starts. */
  get log(): string {
    const path = this.host.runFile('swarmd.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Starts it, and waits until it answers. */
  async start(): Promise<this> {
    const log = openSync(this.host.runFile('swarmd.log'), 'a');
    const own = ['-H', `unix://${this.socket}`, '--engine', `unix://${this.host.socket}`];
    const state = ['--state-dir', this.stateDir];
    const command = [
      ...this.#program,
      '--debug',
      ...own,
      ...state,
      ...(this.#options.args ?? []),
      ...this.#more,
    ];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', ...this.host.entry, ...command], {
      stdio: ['ignore', log, log],
      env: { ...hostEnvironment(), ...this.#options.env },
    });
    closeSync(log);
    this.#child = child;
    const up = await until(`${this.host.name}: swarmd up`, START_MS, async () => {
      if (child.exitCode !== null || child.signalCode !== null) return 'ended';
      return (await answers(this.socket)) ? 'up' : undefined;
    }).catch(() => 'silent');
    if (up !== 'up') {
      child.kill('SIGKILL');
      throw new Error(`${this.host.name}: swarmd ${up}: ${this.log.slice(-3000)}`);
    }
    this.#pid = processIds().find((pid) => parentOf(pid) === child.pid) ?? 0;
    return this;
  }

  /** Kills it at once: nothing is said to anybody. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Asks it to end, and waits. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends it and starts it again, from now on with these options beside its own. */
  async restart(...more: readonly string[]): Promise<void> {
    await this.stop();
    this.#more = more;
    await this.start();
  }

  /** Ends it and starts another version of it with the same state: the command of that. */
  async become(...program: readonly string[]): Promise<void> {
    await this.stop();
    this.#program = program.length > 0 ? program : [SWARMD];
    await this.start();
  }

  /** Freezes it: connections stay open, nothing is answered. */
  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
    this.#child?.kill('SIGCONT'); // nsenter stops with its child
  }

  /** Where it keeps its state, as a path on the host. */
  get stateDir(): string {
    return this.host.diskFolder(this.#options.state ?? 'swarmd');
  }

  /** The same, as a path on this machine while the host has power. */
  get stateDirHere(): string {
    return `/proc/${this.host.initPid}/root${this.stateDir}`;
  }

  /** `docker …` against it: its output; rejects on a non-zero exit with what it said. */
  async docker(...args: string[]): Promise<string> {
    return run(this.#cli, args, { env: this.#env });
  }

  /** The same, whatever its exit. */
  async tryDocker(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return tryRun(this.#cli, args, { ...options, env: { ...this.#env, ...options.env } });
  }

  /** `swarmd …` on the host with the same state. */
  async command(...args: string[]): Promise<CommandResult> {
    const state = ['--state-dir', this.stateDir];
    return tryRun('nsenter', [...this.host.entry, SWARMD, ...state, ...args], { env: hostEnvironment() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  get #cli(): string {
    return this.#options.docker ?? '/usr/bin/docker';
  }

  get #env(): Record<string, string> {
    return { DOCKER_CONFIG: noDockerConfig, DOCKER_HOST: `unix://${this.socket}` };
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (isAlive(this.#pid)) process.kill(this.#pid, signal);
    await until(`${this.host.name}: swarmd ended`, STOP_MS, () => !isAlive(this.#pid) || undefined);
    await until(`${this.host.name}: swarmd collected`, STOP_MS, () => {
      return child.exitCode !== null || child.signalCode !== null || undefined;
    });
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/_ping', timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(true);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}
