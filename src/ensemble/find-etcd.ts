import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { SwarmError } from '../base/errors.ts';
import { etcdEnv } from './etcd-args.ts';

/** The etcd that this host has. */
export interface EtcdProgram {
  readonly path: string;
  /** `3.4.23` */
  readonly version: string;
}

/** Where Debian's packages and people put it; a service's PATH may be short. */
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin'];
/** Learners, and progress of watches that is asked for. */
const OLDEST = [3, 4] as const;
const ANSWER_MS = 10_000;

/**
 * The first etcd that is new enough, of PATH and the usual folders. Throws `unsupported` where all are too old, and `unavailable` where
 * there is none; both say what to install.
 */
export async function findEtcd(path: string = process.env['PATH'] ?? ''): Promise<EtcdProgram> {
  const folders = new Set([...path.split(delimiter).filter(Boolean), ...USUAL_FOLDERS]);
  let tooOld: EtcdProgram | undefined;
  for (const folder of folders) {
    const program = join(folder, 'etcd');
    const version = isProgram(program) ? await versionOf(program) : undefined;
    if (version === undefined) continue;
    if (isNewEnough(version)) return { path: program, version };
    tooOld ??= { path: program, version };
  }
  if (tooOld)
    throw new SwarmError(
      'unsupported',
      `etcd ${tooOld.version} (${tooOld.path}) is too old to keep the state of several managers: 3.4 or newer is needed`,
    );
  throw new SwarmError(
    'unavailable',
    'several managers keep their state in etcd, which is not installed on this host: ' +
      'apt-get install etcd-server (older releases of Debian and Ubuntu call the package etcd)',
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Undefined for what is no etcd. */
async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], {
      timeout: ANSWER_MS,
      env: etcdEnv({}),
    });
    return /^etcd Version: (\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
