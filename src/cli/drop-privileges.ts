import { accessSync, chownSync, constants, lchownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { DiscoverySpec } from '../discovery/index.ts';

/** What the user needs of the files that only root may have been able to reach. */
export interface Belongings {
  /** Files that are read again and sockets that are dialled later: their groups are kept. */
  used?: readonly string[];
  /** Folders that are written to: they become the user's, with the files in them. */
  owned?: readonly string[];
}

/** The calls of the system; a test brings its own. */
export type Identity = Required<Pick<NodeJS.Process, 'getuid' | 'setgroups' | 'setgid' | 'setuid'>>;

/**
 * Where SWARM_USER (`uid` or `uid:gid`, numbers) names another user and this process is root, becomes that user for
 * good. Called when everything is open that only root may open: key files, listeners, databases. The container image
 * sets the variable. Throws `invalid` for a value that cannot be read, `unavailable` where root may not change its user.
 */
export function dropPrivileges(
  log: Logger,
  { used = [], owned = [] }: Belongings = {},
  env: NodeJS.ProcessEnv = process.env,
  identity: Identity = process as Identity,
): void {
  const user = userOf(env['SWARM_USER'] ?? '');
  if (user === undefined || user.uid === 0 || identity.getuid() !== 0) return;
  const groups = [...new Set([user.gid, ...used.flatMap(groupOf)])];
  for (const folder of owned) giveTo(folder, user.uid, user.gid);
  try {
    identity.setgroups(groups);
    identity.setgid(user.gid);
    identity.setuid(user.uid);
  } catch (error) {
    throw new SwarmError(
      'unavailable',
      `cannot become user ${user.uid} (SWARM_USER): ${messageOf(error)}. Leave root the capabilities SETUID and SETGID, start as that user, or stay root with SWARM_USER=0`,
    );
  }
  log.info({ uid: user.uid, gid: user.gid, groups: groups.join(',') }, 'Dropped the privileges of root');
  for (const path of [...used, ...owned]) {
    const missing = missingRight(path);
    if (missing) log.warn({ path, uid: user.uid }, `Without the privileges of root it cannot be ${missing}`);
  }
}

/** The paths that a discovery argument has a manager open later: a list that is read again, engines' sockets. */
export function pathsOf({ scheme, rest }: DiscoverySpec): string[] {
  const sockets = (text: string): string[] =>
    [...text.matchAll(/unix:\/\/([^\s,#]+)/g)].flatMap(([, path]) => path ?? []);
  if (scheme === 'nodes') return sockets(rest);
  if (scheme !== 'file') return [];
  try {
    return [rest, ...sockets(readFileSync(rest, 'utf8'))];
  } catch {
    return []; // discovery says what is wrong with it
  }
}

function userOf(text: string): { uid: number; gid: number } | undefined {
  if (text === '') return undefined;
  const [, uid = '', gid = uid] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? [];
  if (uid === '')
    throw new SwarmError('invalid', `SWARM_USER is uid or uid:gid in numbers, not ${JSON.stringify(text)}`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** The group of a path where it may do more than everybody may. */
function groupOf(path: string): number[] {
  try {
    const { gid, mode } = statSync(path);
    return ((mode >> 3) & ~mode & 0o6) === 0 ? [] : [gid];
  } catch {
    return []; // not there yet
  }
}

/** As far as it goes: what stays out of reach is said when the privileges are gone. */
function giveTo(folder: string, uid: number, gid: number): void {
  try {
    chownSync(folder, uid, gid);
    for (const name of readdirSync(folder)) lchownSync(join(folder, name), uid, gid);
  } catch {
    // read-only, or somebody else's file system
  }
}

/** What this process may not do with a path; undefined where it may, or where nothing is there. */
function missingRight(path: string): string | undefined {
  let done = 'reached';
  try {
    const stat = statSync(path);
    done = stat.isSocket() ? 'dialled' : stat.isDirectory() ? 'written to' : 'read';
    accessSync(path, constants.R_OK | (done === 'read' ? 0 : constants.W_OK));
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? undefined : done;
  }
}
