import { createWriteStream, existsSync, rmSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { LAYOUTS, restoreFrom } from '../store/index.ts';
import { BACKUP_PATH } from './admin.ts';
import { copyAtRest } from './copy-at-rest.ts';
import { memberFolderOf } from './own-etcd.ts';
import { StateFolder } from './state-folder.ts';

const BACKUP_MS = 10 * 60_000;

/** Copies the state of a swarm to a new file, by the daemon that has it or without one. Throws what is in the way. */
export async function backup(stateDir: string, file: string): Promise<string> {
  const folder = new StateFolder(stateDir);
  const target = resolve(file);
  const answer = await askDaemon(folder);
  if (answer) await receive(answer, target);
  else if (folder.hasDatabase) await copyAtRest(folder, target);
  else if (hasMember(stateDir))
    throw new SwarmError(
      'unavailable',
      `the state of '${stateDir}' is in the etcd of its managers: start swarmd first`,
    );
  else throw new SwarmError('unavailable', `there is no state in '${stateDir}'`);
  return `Saved the state of '${stateDir}' to '${target}'.`;
}

/** Puts a backup in place of no state; the daemon must not run. */
export async function restore(stateDir: string, file: string, layouts = LAYOUTS): Promise<string> {
  const folder = new StateFolder(stateDir);
  if (await isRunning(folder))
    throw new SwarmError('conflict', `swarmd runs with '${stateDir}': stop it first`);
  if (hasMember(stateDir))
    throw new SwarmError(
      'conflict',
      `a state is in '${stateDir}' already, in the etcd of its managers; nothing was changed`,
    );
  if (folder.readLocal()?.store === 'etcd')
    throw new SwarmError(
      'conflict',
      `'${stateDir}' is of a manager whose state is in an etcd of the user’s; nothing was changed`,
    );
  restoreFrom(resolve(file), stateDir, { layouts });
  folder.markRestored(true);
  return `Restored the state of '${stateDir}'. Start swarmd to go on with it.`;
}

function hasMember(stateDir: string): boolean {
  return memberFolderOf(stateDir).hasMember;
}

/** Whether a daemon has this folder, with a swarm or without. */
function isRunning({ adminSocket }: StateFolder): Promise<boolean> {
  const { promise, resolve: found } = Promise.withResolvers<boolean>();
  const probe = connect(adminSocket);
  probe.once('connect', () => found(true)).once('error', () => found(false));
  return promise.finally(() => probe.destroy());
}

/** Undefined where no daemon runs with this state. */
async function askDaemon({ adminSocket }: StateFolder): Promise<IncomingMessage | undefined> {
  if (!existsSync(adminSocket)) return undefined;
  const signal = AbortSignal.timeout(BACKUP_MS);
  const call = request({ socketPath: adminSocket, method: 'POST', path: BACKUP_PATH, signal });
  call.end();
  try {
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    return answer;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return undefined;
    throw new SwarmError('unavailable', `swarmd does not answer: ${messageOf(error)}`, { cause: error });
  }
}

async function receive(answer: IncomingMessage, target: string): Promise<void> {
  if (answer.statusCode !== 200) {
    const words = (await answer.setEncoding('utf8').toArray()).join('');
    throw new SwarmError('unavailable', words || `swarmd answered with status ${answer.statusCode}`);
  }
  try {
    await pipeline(answer, createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true }));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST')
      throw new SwarmError('conflict', `'${target}' is there already; a backup replaces nothing`);
    rmSync(target, { force: true });
    throw new SwarmError('unavailable', `cannot write the backup '${target}': ${fileReason(error)}`, {
      cause: error,
    });
  }
}
