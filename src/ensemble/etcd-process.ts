import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { backoffMs } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import type { Logger } from '../base/log.ts';
import { EtcdLog } from './etcd-log.ts';
import { endNoted, forgetPid, notePid } from './pid-file.ts';

export interface ProcessPlan {
  readonly program: string;
  /** Asked for at each start. */
  readonly args: () => Promise<readonly string[]>;
  readonly env: NodeJS.ProcessEnv;
  readonly pidFile: string;
  /** The one of the arguments that no other process has. */
  readonly ownArgument: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

/** How long it has to end in order; it hands its lead over meanwhile. */
const END_MS = 5_000;
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [250, 15_000];
/** After so long it has worked: the next end is the first one again. */
const LASTING_MS = 60_000;
/** Debian has it in util-linux, on every host. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/**
 * One etcd that runs as a child of this process: started again when it ends, ended in order, and ended with this process however that
 * ends. Where the kernel could not see to it, the next swarmd finds it by the file with its number.
 */
export class EtcdProcess {
  readonly #plan: ProcessPlan;
  #child: ChildProcess | undefined;
  #again = false;

  constructor(plan: ProcessPlan) {
    this.#plan = plan;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Has it end in order and start again at once, with the arguments of then. */
  restart(): void {
    this.#again = true;
    if (this.#child) void end(this.#child);
  }

  /**
   * Runs until the signal fires, and resolves when it has ended in order. Rejects with `conflict` when it was removed from its
   * cluster: it will never serve again; and with `unavailable` when one of before can't be ended.
   */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { pidFile, ownArgument, clock, log, random } = this.#plan;
    const former = await endNoted(pidFile, ownArgument, clock).catch((error: unknown) => {
      throw new SwarmError('unavailable', messageOf(error), { cause: error });
    });
    if (former !== undefined) log.info({ pid: former }, 'Ended the etcd that a swarmd before this one left');
    for (let failures = 0; !signal.aborted;) {
      const startedMs = clock.nowMs();
      const why = await this.#once(signal);
      if (signal.aborted) return;
      if (this.#again) {
        this.#again = false;
        continue;
      }
      if (clock.nowMs() - startedMs >= LASTING_MS) failures = 0;
      const pauseMs = backoffMs(failures++, FIRST_PAUSE_MS, LAST_PAUSE_MS, random);
      log.warn({ why, againInMs: Math.round(pauseMs) }, 'etcd has ended; it is started again');
      await clock.pause(pauseMs, signal);
    }
  }

  /** One run of it; resolves with why it ended. */
  async #once(signal: AbortSignal): Promise<string> {
    const { pidFile, log, clock } = this.#plan;
    const said = new EtcdLog(log, clock);
    // It starts with what holds now.
    this.#again = false;
    const args = await this.#plan.args();
    if (signal.aborted) return 'it is not to run any more';
    const child = this.#start(args, said);
    if (typeof child === 'string') return child;
    this.#child = child;
    const stop = (): void => void end(child);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const why = await ended(child);
      if (said.isRemoved && !signal.aborted && !this.#again)
        throw new SwarmError('conflict', 'this host was removed from the members of the etcd of its swarm');
      return said.last === '' ? why : `${why}: ${said.last}`;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#child = undefined;
      forgetPid(pidFile);
    }
  }

  /** The process, or why there is none. */
  #start(args: readonly string[], said: EtcdLog): ChildProcess | string {
    const { program, env, pidFile } = this.#plan;
    const [file = program, ...all] = [...endingWithThisOne(), program, ...args];
    try {
      const child = spawn(file, all, {
        stdio: ['ignore', 'ignore', 'pipe'],
        detached: true, // a Ctrl-C at the terminal is this process's to handle
        cwd: '/',
        env,
      });
      child.on('error', () => undefined);
      child.stderr?.setEncoding('utf8').on('data', (text: string) => said.take(text));
      if (child.pid === undefined) return `${program} could not be started`;
      try {
        notePid(pidFile, child.pid);
      } catch (error) {
        // Nobody would find it after a kill of this process, and another one is started in a moment.
        child.kill('SIGKILL');
        return `${pidFile}: ${fileReason(error)}`;
      }
      return child;
    } catch (error) {
      return messageOf(error);
    }
  }
}

/** The command before another one that has the kernel end that one with this process. */
function endingWithThisOne(): string[] {
  const setpriv = SETPRIV.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM', '--no-new-privs', '--'];
}

async function ended(child: ChildProcess): Promise<string> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
  return child.signalCode === null ? `exit code ${child.exitCode ?? '?'}` : `ended by ${child.signalCode}`;
}

/** Asks it to end, and makes it end after a while. */
async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await ended(child);
  clearTimeout(late);
}
