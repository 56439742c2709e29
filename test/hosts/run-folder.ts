import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isAlive, procFile, startTimeOf } from './shell.ts';

/** Where every run of this machine has its folder. The folder's name is the run id and the subnet's number. */
export const runsFolder = '/var/lib/skep-hosts';
const cgroupRoot = '/sys/fs/cgroup';
const subnets = 250;

export interface RunFolder {
  /** 1..250, unique among the live runs of this machine. */
  readonly id: number;
  readonly path: string;
  /** The first three bytes of the run's /24. */
  readonly subnet: string;
}

/** What a run is called where a name is needed: network link, cgroup. At most 15 characters. */
export function runName(id: number): string {
  return `skep${id}`;
}

/**
 * Claims a free number: making its folder is the claim (one atomic mkdir), and nothing on the machine may have an
 * address or a route in its subnet.
 */
export function claimRunFolder(): RunFolder {
  removeDeadRuns();
  const routes = execFileSync('ip', ['-4', 'route', 'show', 'table', 'all'], { encoding: 'utf8' });
  const first = 1 + (process.pid % subnets);
  for (let step = 0; step < subnets; step++) {
    const id = 1 + ((first - 1 + step) % subnets);
    const subnet = `10.213.${id}`;
    if (routes.includes(`${subnet}.`)) continue;
    const path = join(runsFolder, String(id));
    try {
      mkdirSync(path, { mode: 0o755 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw error;
    }
    const session = process.env['SKEP_TEST_SESSION'] ?? '';
    writeFileSync(join(path, 'owner'), `${process.pid} ${startTimeOf(process.pid)} ${session}\n`);
    return { id, path, subnet };
  }
  throw new Error(`no free subnet in 10.213.1.0 - 10.213.${subnets}.0: see ${runsFolder}`);
}

export interface Owner {
  readonly id: number;
  readonly alive: boolean;
  readonly session: string;
}

/** The runs that have a folder, with their owners. A folder younger than ten seconds may not have its owner yet. */
export function listRuns(): Owner[] {
  mkdirSync(runsFolder, { recursive: true });
  return readdirSync(runsFolder).flatMap((name) => {
    const path = join(runsFolder, name);
    try {
      const [pid = '', started = '', session = ''] = existsSync(join(path, 'owner'))
        ? readFileSync(join(path, 'owner'), 'utf8').trim().split(' ')
        : [];
      const young = Date.now() - statSync(path).mtimeMs < 10_000;
      const alive = pid === '' ? young : isAlive(Number(pid)) && startTimeOf(Number(pid)) === started;
      return [{ id: Number(name), alive, session }];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/**
 * The janitor: removes what runs left whose owner is dead. Their processes are gone already, because the kernel ends
 * a run's first processes with its owner; folders and control groups are what can remain.
 */
export function removeDeadRuns(): void {
  for (const run of listRuns()) if (!run.alive) removeRun(run.id);
}

/** Removes a run's folder and control groups. Its processes must have ended. */
export function removeRun(id: number): void {
  thawDying(id);
  rmSync(join(runsFolder, String(id)), { recursive: true, force: true });
  for (const folder of cgroupsOf(id)) removeTree(folder);
}

/** The control groups of a run, in every hierarchy. */
export function cgroupsOf(id: number): string[] {
  const name = runName(id);
  const hierarchies = existsSync(join(cgroupRoot, 'cgroup.controllers'))
    ? [cgroupRoot]
    : readdirSync(cgroupRoot).map((one) => join(cgroupRoot, one));
  return hierarchies.map((one) => join(one, name)).filter((folder) => existsSync(folder));
}

const SIGKILL_BIT = 1n << 8n;

/**
 * Thaws what is frozen and about to die: with the older control groups a paused container's processes do not see
 * the signal that ends their host, and the host would never be gone.
 */
export function thawDying(id: number): void {
  for (const folder of cgroupsOf(id)) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const state = join(folder, name, 'freezer.state');
      try {
        if (!existsSync(state) || readFileSync(state, 'utf8').trim() === 'THAWED') continue;
        const processes = readFileSync(join(folder, name, 'cgroup.procs'), 'utf8')
          .trim()
          .split('\n');
        if (processes.some(isDying)) writeFileSync(state, 'THAWED');
      } catch {
        // gone meanwhile
      }
    }
  }
}

function isDying(pid: string): boolean {
  const pending = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(procFile(Number(pid), 'status') ?? '')?.[1];
  return pending !== undefined && (BigInt(`0x${pending}`) & SIGKILL_BIT) !== 0n;
}

/** A control group goes by rmdir, its children first; its files can't be unlinked. */
function removeTree(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(folder, entry.name));
    rmdirSync(folder);
  } catch {
    // busy for another moment: the next janitor takes it
  }
}
