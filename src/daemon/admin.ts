import { createReadStream, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { messageOf, SwarmError } from '../base/errors.ts';
import { startApiServer, type ApiServer } from '../docker-api/index.ts';
import { copyAtRest } from './copy-at-rest.ts';
import type { DaemonContext } from './daemon-context.ts';
import type { StateFolder } from './state-folder.ts';

/** What `swarmd backup` asks the daemon that has the state. */
export const BACKUP_PATH = '/backup';

/**
 * Listens in the state folder, which only root can look into: one process has the state, so a copy of it while that
 * runs is that process's to make.
 */
export async function serveAdmin(folder: StateFolder, context: DaemonContext): Promise<ApiServer> {
  const server = await startApiServer({
    listen: [{ kind: 'unix', path: folder.adminSocket }],
    handle: (req, res) => {
      res.on('error', () => undefined);
      if (req.method !== 'POST' || req.url !== BACKUP_PATH) {
        res.writeHead(404).end();
        return;
      }
      sendBackup(folder, context, res).catch((error: unknown) => {
        context.log.warn({ err: messageOf(error) }, 'A backup failed');
        if (res.headersSent) res.destroy();
        else res.writeHead(500, { 'content-type': 'text/plain' }).end(messageOf(error));
      });
    },
  });
  // Who listens here has the folder to itself.
  folder.dropDrafts();
  return server;
}

let turn: Promise<void> = Promise.resolve();

function sendBackup(folder: StateFolder, context: DaemonContext, res: ServerResponse): Promise<void> {
  const own = turn.then(async () => {
    const { swarm, isLocked } = context.life;
    const isAtRest = isLocked && folder.hasDatabase;
    if (!swarm && !isAtRest) throw new SwarmError('no-manager', 'this node manages no swarm');
    const draft = folder.backupDraft;
    rmSync(draft, { force: true });
    try {
      await (swarm ? swarm.state.backupTo(draft) : copyAtRest(folder, draft));
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      await pipeline(createReadStream(draft), res);
    } finally {
      rmSync(draft, { force: true });
    }
  });
  turn = own.catch(() => undefined);
  return own;
}
