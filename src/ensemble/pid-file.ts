import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { asNumber, asObject, asString } from '../base/json.ts';

/** How long a process has to end in order. */
const END_MS = 5_000;
/** After SIGKILL: its disk may hang. */
const KILLED_MS = 5_000;
const LOOK_MS = 25;

/** One process that this host runs or ran: a number may be another's later, with another start. */
interface ProcessMark {
  readonly pid: number;
  /** In ticks since the host's start. */
  readonly startedAt: string;
  /** Which start of the host that was. */
  readonly boot: string;
}

/** Notes the process in a file, for whoever comes after this one. Nothing happens where it has ended already. */
export function notePid(file: string, pid: number): void {
  const startedAt = startOf(pid);
  if (startedAt === undefined) return;
  const mark: ProcessMark = { pid, startedAt, boot: bootId() };
  writeFileSync(`${file}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function forgetPid(file: string): void {
  rmSync(file, { force: true });
}

/**
 * Ends the process that a file notes, if it still is that one: it began when it did then, and has this argument. Resolves with its
 * number, or undefined where there is none; rejects where it does not end.
 */
export async function endNoted(file: string, argument: string, clock: Clock): Promise<number | undefined> {
  const mark = readMark(file);
  if (!mark || mark.boot !== bootId() || !isThe(mark, argument)) {
    forgetPid(file);
    return undefined;
  }
  for (const [signal, limitMs] of [
    ['SIGTERM', END_MS],
    ['SIGKILL', KILLED_MS],
  ] as const) {
    send(mark.pid, signal);
    // A stopped one hears of it only then.
    send(mark.pid, 'SIGCONT');
    const untilMs = clock.nowMs() + limitMs;
    while (clock.nowMs() < untilMs) {
      if (!isThe(mark, argument)) {
        forgetPid(file);
        return mark.pid;
      }
      await clock.pause(LOOK_MS, new AbortController().signal);
    }
  }
  throw new Error(`the etcd of a swarmd before this one (process ${mark.pid}) does not end`);
}

function readMark(file: string): ProcessMark | undefined {
  try {
    const { pid, startedAt, boot } = asObject(JSON.parse(readFileSync(file, 'utf8')));
    const mark = { pid: asNumber(pid), startedAt: asString(startedAt), boot: asString(boot) };
    // Numbers below are of groups, or of the first process.
    return Number.isSafeInteger(mark.pid) && mark.pid > 1 ? mark : undefined;
  } catch {
    return undefined;
  }
}

function isThe({ pid, startedAt }: ProcessMark, argument: string): boolean {
  return startOf(pid) === startedAt && argumentsOf(pid).includes(argument);
}

/** Of a process that runs; one that has ended and was not asked how has no arguments. */
function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** The 22nd field of its `stat`; the second one is a name, which may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
