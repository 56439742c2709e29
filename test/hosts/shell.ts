import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface CommandResult {
  /** Exit code; 128 + n where a signal ended the command. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** Runs a command to its end; a non-zero exit is a value. Rejects only where it could not be started. */
export function tryRun(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: 'pipe',
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined); // the command may end without reading its input
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({
        code: code ?? 137,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      }),
    );
  });
}

/** Runs a command and gives its output without the last newline. Rejects with its error output otherwise. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryRun(command, args, options);
  if (result.code !== 0) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-2000);
    throw new Error(`${command} ${args.join(' ')}: exit ${result.code}: ${said}`);
  }
  return result.stdout.replace(/\n$/, '');
}

/** Asks until `ask` gives a value; rejects with `what` (and the last error) after `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    let last = '';
    try {
      const value = await ask();
      if (value !== undefined) return value;
    } catch (error) {
      last = `: ${String(error)}`;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms${last}`);
    await sleep(25);
  }
}

/** Every process id of the machine, as this process sees it. */
export function processIds(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** A file or link under /proc/PID, or undefined where the process is gone (or not ours to read). */
export function procFile(pid: number, name: string): string | undefined {
  try {
    return name.startsWith('ns/')
      ? readlinkSync(`/proc/${pid}/${name}`)
      : readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** Fields of /proc/PID/stat from the third on (the second, the name, may hold blanks). */
function statFields(pid: number): string[] | undefined {
  const stat = procFile(pid, 'stat');
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

export function parentOf(pid: number): number | undefined {
  const parent = statFields(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** When the process started, in clock ticks since boot: with the id, it names one process for good. */
export function startTimeOf(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** A folder for DOCKER_CONFIG that stays empty but for what clients note there: no user's configuration counts. */
export const noDockerConfig = join(tmpdir(), 'skep-docker-config');
mkdirSync(noDockerConfig, { recursive: true });
