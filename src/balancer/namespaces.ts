import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { MONOTONIC, type Clock } from '../base/clock.ts';

/** A network namespace that somebody keeps by a file. */
export interface NetnsFile {
  /** To be opened by this process. */
  readonly path: string;
  readonly name: string;
  /** The namespace's number: a new one under the same name has another. */
  readonly inode: number;
}

const ENGINE = 'dockerd';
/** Between searches of all processes for an engine. */
const SEARCH_MS = 5_000;

/**
 * The namespaces that engines of this host keep in their `netns` folders, the newest last. Where none is mounted here
 * they are looked for in the mounts of an engine that lives in the same network.
 */
export function namespaceLister(clock: Clock = MONOTONIC): () => Promise<readonly NetnsFile[]> {
  let engine: string | undefined;
  let searchedMs = -Infinity;
  return async () => {
    const own = readNamespaces(await readFile('/proc/self/mountinfo', 'utf8'), '');
    if (own.length > 0) return own;
    if (!(await isEngine(engine)) && clock.nowMs() - searchedMs >= SEARCH_MS) {
      searchedMs = clock.nowMs();
      engine = await engineProcess();
    }
    const mounts = await readFile(`/proc/${engine ?? 'none'}/mountinfo`, 'utf8').catch(() => '');
    return readNamespaces(mounts, `/proc/${engine}/root`);
  };
}

/** Reads proc_pid_mountinfo(5): `282 227 0:4 net:[4026532852] /run/docker/netns/ingress_sbox rw - nsfs nsfs rw`. */
export function readNamespaces(mountinfo: string, root: string): NetnsFile[] {
  const found = new Map<string, NetnsFile>();
  for (const line of mountinfo.split('\n')) {
    if (!line.includes(' net:[')) continue;
    const [, , , ns = '', mount = ''] = line.split(' ');
    const inode = Number(/^net:\[(\d+)\]$/.exec(ns)?.[1]);
    const path = mount.replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(parseInt(digits, 8)),
    );
    if (!inode || !/\/netns\/[^/]+$/.test(path)) continue;
    found.delete(path); // of mounts on one another the last is seen
    found.set(path, { path: `${root}${path}`, name: basename(path), inode });
  }
  return [...found.values()];
}

/** The number of the namespace that a file keeps; 0 where there is none. */
export async function inodeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ ino }) => ino,
    () => 0,
  );
}

async function isEngine(pid: string | undefined): Promise<boolean> {
  if (pid === undefined) return false;
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === ENGINE;
}

/** The process of an engine in this network whose mounts are its own. */
async function engineProcess(): Promise<string | undefined> {
  const own = await readlink('/proc/self/ns/net');
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    if (!(await isEngine(pid))) continue;
    if ((await readlink(`/proc/${pid}/ns/net`).catch(() => '')) === own) return pid;
  }
  return undefined;
}
