import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Place } from './places.ts';

export interface LoadPlan {
  /** `ip:port`, asked in turn; or `name:port`, each time at one of the addresses that a container's name server has then. */
  readonly targets: readonly string[];
  /** So many ask side by side. */
  readonly loops: number;
  /** Between two requests of a loop. */
  readonly pauseMs: number;
  /** For one request, from connecting to the end of the answer. */
  readonly deadlineMs: number;
  /** It is not stopped before this many requests. */
  readonly atLeast: number;
  /** It ends by itself then. */
  readonly atMostMs: number;
}

export interface LoadResult {
  readonly done: number;
  readonly failed: number;
  /** The first ones: when, which target, and why. */
  readonly failures: readonly string[];
  /** Answers by the name of who answered. */
  readonly answered: Readonly<Record<string, number>>;
  /** The addresses that the servers have seen. */
  readonly clients: readonly string[];
}

const MAIN = fileURLToPath(new URL('load-main.ts', import.meta.url));
/** How long the end may take beyond the requests that are under way. */
const END_MS = 60_000;

/** Requests without an end, from a process of their own in some place. It ends with this process. */
export class Load implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<unknown>;
  #last: LoadResult | undefined;

  constructor(from: Place, plan: Partial<LoadPlan> & Pick<LoadPlan, 'targets'>) {
    const usual = { loops: 8, pauseMs: 10, deadlineMs: 5_000, atLeast: 1, atMostMs: 300_000 };
    const what = [process.execPath, MAIN, JSON.stringify({ ...usual, ...plan })];
    const [program = '', ...args] = [...from, ...what];
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => undefined); // it may have ended
    this.#lines = createInterface({ input: child.stdout });
    this.#lines.on('line', (line) => (this.#last = JSON.parse(line) as LoadResult));
    this.#child = child;
    this.#ended = once(child, 'close');
  }

  /** The numbers so far. */
  async soFar(): Promise<LoadResult> {
    const line = once(this.#lines, 'line', { signal: AbortSignal.timeout(END_MS) });
    this.#child.stdin?.write('show\n');
    await line;
    return this.#result();
  }

  /** Waits for what was asked for at least, ends it, and gives its numbers. */
  async stop(): Promise<LoadResult> {
    this.#child.stdin?.write('stop\n');
    await this.#ended;
    return this.#result();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }

  #result(): LoadResult {
    if (this.#last === undefined) throw new Error('the load generator said nothing');
    return this.#last;
  }
}
