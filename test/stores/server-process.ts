import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { until } from '../hosts/index.ts';

const START_MS = 30_000;
const END_MS = 20_000;
const STOP_MS = 5_000;

export interface ServerPlan {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it writes goes here, of all its starts. */
  readonly logFile: string;
  /** Runs in the network of this process instead of this one's: the first process of a test host. */
  readonly networkOf?: number;
  /** Whether it serves; asked again and again. A rejection means not yet. */
  readonly ready: () => Promise<boolean>;
}

/** A server that a test starts, hurts and starts again. It ends with this process, however that ends. */
export class ServerProcess {
  readonly #plan: ServerPlan;
  #child: ChildProcess | undefined;

  constructor(plan: ServerPlan) {
    this.#plan = plan;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  log(): string {
    return existsSync(this.#plan.logFile) ? readFileSync(this.#plan.logFile, 'utf8') : '';
  }

  /** Starts it and waits until it serves; nothing happens where it runs. Rejects with its log. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const { name, command, args, env, networkOf, logFile, ready } = this.#plan;
    const enter = networkOf === undefined ? [] : ['nsenter', '-t', `${networkOf}`, '-n'];
    const log = openSync(logFile, 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...enter, command, ...args], {
      stdio: ['ignore', log, log],
      detached: true, // a Ctrl-C at the terminal is this process's to handle
      env: { ...process.env, ...env },
    });
    closeSync(log);
    child.on('error', () => undefined); // seen as an end without a pid
    child.unref();
    this.#child = child;
    try {
      const how = await until(`${name} serves`, START_MS, async () => {
        if (child.pid === undefined || hasEnded(child)) return 'ended';
        return (await ready()) ? 'serves' : undefined;
      });
      if (how === 'ended') throw new Error(`${name} ended at its start`);
    } catch (error) {
      await this.kill();
      throw new Error(`${String(error)}\n${this.log().slice(-3000)}`, { cause: error });
    }
  }

  /** Asks it to end and waits. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /**
   * Freezes it: connections are still accepted by the kernel, nothing is answered from here on. Each thread stops when
   * it next has its turn; on a busy machine one may answer before that.
   */
  pause(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    this.#child?.kill('SIGSTOP');
    const giveUp = performance.now() + STOP_MS;
    while (!isStopped(pid) && performance.now() < giveUp)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || hasEnded(child)) return;
    child.ref();
    const exited = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT'); // a frozen one hears SIGTERM only then
    const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await exited;
    clearTimeout(late);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether all its threads are; also of one that has ended. */
function isStopped(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.every((thread) =>
      /\) [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
    );
  } catch {
    return !existsSync(`/proc/${pid}`);
  }
}

let nextPort = 0;

/**
 * A port nobody listens at on `ip`, below those that the kernel gives to outgoing connections: a server that was
 * stopped finds it free again. Two processes can still choose the same one; a server that can't listen ends.
 */
export async function freePort(ip: string): Promise<number> {
  const [first, count] = [12_000, 18_000];
  nextPort ||= Math.floor(Math.random() * count);
  for (let tries = 0; tries < 200; tries++) {
    nextPort = (nextPort + 1) % count;
    const port = first + nextPort; // meanwhile others may ask too
    if (await canListen(ip, port)) return port;
  }
  throw new Error(`no free port at ${ip}`);
}

function canListen(ip: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, ip, () => server.close(() => resolve(true)));
  });
}
