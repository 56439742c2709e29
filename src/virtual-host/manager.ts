import { startApiServer, type Listen } from '../docker-api/index.ts';
import { createApi } from './api.ts';
import { BuildSessions } from './images/build-sessions.ts';
import type { ManagerConfig } from './config.ts';
import { ExecIndex } from './containers/exec-index.ts';
import { NetworkKeeper } from './networks/networks-keeper.ts';
import { Placer } from './containers/placer.ts';
import { Pool } from './pool/pool.ts';
import { ALONE } from './replication/leadership.ts';

export interface Manager {
  /** What it listens on, ports resolved. */
  readonly addresses: readonly Listen[];
  close(): Promise<void>;
}

/**
 * Starts a manager: listens, and follows the engines that discovery names. Resolves when it listens; engines come in
 * as they answer. Throws the error of a listener that could not be opened.
 */
export async function startManager(config: ManagerConfig): Promise<Manager> {
  const { log } = config;
  const pool = new Pool(
    config.discovery,
    {
      overcommit: config.overcommit,
      refreshMinMs: config.engineRefreshMinMs,
      refreshMaxMs: config.engineRefreshMaxMs,
      failureRetry: config.engineFailureRetry,
      tls: config.tls,
    },
    log,
  );
  const context = {
    config,
    leadership: ALONE,
    pool,
    placer: new Placer(pool, { strategy: config.strategy, filters: config.filters }),
    execs: new ExecIndex(pool),
    builds: new BuildSessions(pool),
    networks: new NetworkKeeper(pool),
  };
  const { tls } = config;
  const server = await startApiServer({
    listen: config.listen,
    handle: createApi(context),
    ...(tls?.cert && tls.key
      ? {
          tls: { ...(tls.ca ? { ca: tls.ca } : {}), cert: tls.cert, key: tls.key, verifyClients: tls.verify },
        }
      : {}),
  });
  for (const address of server.addresses) {
    const addr = address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
    log.info({ addr, proto: address.kind }, 'Listening for HTTP');
  }
  const following = pool.run().catch((error: unknown) => {
    log.error({ err: error instanceof Error ? error.message : String(error) }, 'Discovery ended');
  });
  return {
    addresses: server.addresses,
    async close() {
      await server.close();
      await pool.close();
      await following;
    },
  };
}
