import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { run, tryRun, until, type CommandOptions, type CommandResult, type Hosts } from '../hosts/index.ts';

export interface SwarmOptions {
  /** Options of `swarm manage`. */
  readonly args?: readonly string[];
  /** The discovery argument; the hosts' addresses when not given. */
  readonly discovery?: string;
  /** How many engines must be Healthy before it counts as started; all of the hosts when not given. */
  readonly healthy?: number;
  /** What the docker CLI says before its command, for a manager that wants a certificate. */
  readonly cliArgs?: readonly string[];
}

/** A manager as a user starts it: a process of its own. */
export interface Swarm extends AsyncDisposable {
  /** http://127.0.0.1:port */
  readonly url: string;
  /** tcp://127.0.0.1:port */
  readonly host: string;
  readonly pid: number;
  /** What it has written so far. */
  log(): string;
  /** The docker CLI against it; rejects on a non-zero exit. */
  docker(...args: string[]): Promise<string>;
  /** The docker CLI, whatever its exit. */
  tryDocker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  stop(): Promise<void>;
}

const START_MS = 30_000;
const SWARM = fileURLToPath(new URL('../../bin/swarm', import.meta.url));

/** Starts `swarm manage` on a free port of the loopback and waits until its engines are Healthy. */
export async function startSwarm(hosts: Hosts | undefined, options: SwarmOptions = {}): Promise<Swarm> {
  const discovery = options.discovery ?? `nodes://${hosts?.addresses ?? ''}`;
  const child = spawn(
    SWARM,
    ['--debug', 'manage', '-H', 'tcp://127.0.0.1:0', ...(options.args ?? []), discovery],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let written = '';
  const take = (chunk: Buffer): void => {
    written += chunk.toString('utf8');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await exited;
  };
  try {
    const port = await until('the manager to listen', START_MS, () => {
      const found = /Listening for HTTP" addr="?127\.0\.0\.1:(\d+)/.exec(written)?.[1];
      return found ?? (child.exitCode === null ? undefined : 'ended');
    });
    if (port === 'ended') throw new Error('it ended at once');
    const host = `tcp://127.0.0.1:${port}`;
    const url = `http://127.0.0.1:${port}`;
    const wanted = options.healthy ?? (hosts ? [...hosts].length : 0);
    const cli = ['-H', host, ...(options.cliArgs ?? [])];
    await until(`${wanted} healthy engines`, START_MS, async () => {
      const text = options.cliArgs
        ? await run('docker', [...cli, 'info'])
        : await (await fetch(`${url}/info`)).text();
      const healthy = text.match(/Status(: |",")Healthy/g) ?? [];
      return healthy.length >= wanted || undefined;
    });
    return {
      url,
      host,
      pid: child.pid ?? 0,
      log: () => written,
      docker: (...args) => run('docker', [...cli, ...args]),
      tryDocker: (args, how) => tryRun('docker', [...cli, ...args], how),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`the manager did not start: ${written}`, { cause: error });
  }
}
