import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { messageOf } from '../../base/errors.ts';

/** One run of a program of the host. */
export interface Command {
  /** The file of the network namespace that it runs in; '' for the process's own. */
  readonly netns: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What it reads; nothing where absent. */
  readonly input?: string;
  /** Killed after this; LIMIT_MS where absent. */
  readonly limitMs?: number;
}

export interface CommandResult {
  /** The program's exit; ENDED_LATE and NOT_STARTED as the shell and timeout(1) have them. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The programs of the host. Never rejects, and always answers within the command's limit. */
export interface Commands {
  run(command: Command): Promise<CommandResult>;
}

export const ENDED_LATE = 124;
export const NOT_STARTED = 127;
const LIMIT_MS = 10_000;
const MOST_OUTPUT = 8 << 20;
/** How long a killed program may take to be gone; one that sleeps in the kernel is left to itself. */
const AFTER_KILL_MS = 500;

export const SYSTEM_COMMANDS: Commands = { run: runCommand };

function runCommand(command: Command): Promise<CommandResult> {
  const { netns, program, args, input } = command;
  const [file, all] =
    netns === '' ? [program, [...args]] : ['nsenter', [`--net=${netns}`, '--', program, ...args]];
  const limitMs = command.limitMs ?? LIMIT_MS;
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  // The words of programs are matched, so they must not be translated.
  const child = started(file, all);
  if (typeof child === 'string') {
    resolve({ code: NOT_STARTED, stdout: '', stderr: child });
    return promise;
  }
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  const end = (code: number, words?: string): void => {
    clearTimeout(timer);
    resolve({ code, stdout: out.text(), stderr: words ?? err.text() });
  };
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    const words = `${program} did not end within ${limitMs} ms`;
    setTimeout(() => end(ENDED_LATE, words), AFTER_KILL_MS).unref();
    child.once('close', () => end(ENDED_LATE, words));
  }, limitMs);
  child.once('error', (error) => end(NOT_STARTED, `${file}: ${error.message}`));
  child.once('close', (code, signal) => {
    if (!child.killed)
      end(code ?? NOT_STARTED, signal === null ? undefined : `${program} ended by ${signal}`);
  });
  child.stdin.on('error', () => undefined); // it ended without reading all: its exit tells
  child.stdin.end(input ?? '');
  return promise;
}

/** The process, or why there is none: without a free descriptor or memory it has no streams, or is not even an event. */
function started(file: string, args: readonly string[]): ChildProcessWithoutNullStreams | string {
  try {
    const child = spawn(file, args, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } });
    child.on('error', () => undefined);
    const hasStreams = [child.stdin, child.stdout, child.stderr].every((stream: unknown) => stream != null);
    return hasStreams ? child : `${file}: it could not be started`;
  } catch (error) {
    return `${file}: ${messageOf(error)}`;
  }
}

/** What a program writes, up to a bound; what is beyond is dropped, so that the program does not wait. */
function collect(stream: NodeJS.ReadableStream): { text(): string } {
  const parts: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (part: Buffer) => {
    if (bytes < MOST_OUTPUT) parts.push(part);
    bytes += part.length;
  });
  stream.on('error', () => undefined);
  return { text: () => Buffer.concat(parts).toString('utf8') };
}
