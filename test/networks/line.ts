import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Place } from './places.ts';

const MAIN = fileURLToPath(new URL('line-main.ts', import.meta.url));
const ANSWER_MS = 10_000;

/** A connection to the tests' server that stays open, from a process of its own in some place. It ends with this process. */
export class Line implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #heard = '';

  constructor(from: Place, host: string, port: number) {
    const [program = '', ...args] = [...from, process.execPath, MAIN, host, String(port)];
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ended = once(this.#child, 'close');
    this.#child.stdin?.on('error', () => undefined); // it may have ended
    this.#child.stdout?.on('data', (data: Buffer) => (this.#heard += data.toString('utf8')));
  }

  /**
   * Says a word; gives who answered, or why nobody did: "ECONNRESET", "ECONNREFUSED", "closed" where the other side
   * ended it in order, or "silent" after 10 s.
   */
  async say(word: string): Promise<string> {
    this.#child.stdin?.write(`${word}\n`);
    const limit = AbortSignal.timeout(ANSWER_MS);
    for (;;) {
      const answer = this.#heard
        .split('\n')
        .slice(0, -1)
        .find((line) => isAnswer(line, word));
      if (answer !== undefined) return answer.split(' ')[0] ?? '';
      if (limit.aborted) return 'silent';
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }
}

/** Whether it answers that word, or says that the connection has ended. */
function isAnswer(line: string, word: string): boolean {
  const [, , said] = line.split(' ');
  return said === undefined || said === word;
}
