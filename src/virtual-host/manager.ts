import { startApiServer, type Listen } from '../docker-api/index.ts';
import { createApi } from './api.ts';
import { BuildSessions } from './images/build-sessions.ts';
import type { ManagerConfig } from './config.ts';
import { ExecIndex } from './containers/exec-index.ts';
import { NetworkKeeper } from './networks/networks-keeper.ts';
import { Placer } from './containers/placer.ts';
import { Pool } from './pool/pool.ts';
import { Calls } from './system/calls.ts';
import { Metrics } from './system/metrics.ts';
import { RegistryAuths } from './rescheduling/registry-auths.ts';
import { Rescheduler } from './rescheduling/rescheduler.ts';
import { Leftovers } from './containers/leftovers.ts';
import { ContainerNames } from './containers/names.ts';
import { Forwarder } from './replication/forward.ts';
import { createReplication } from './replication/replication.ts';
import { checkAdvertised } from './replication/self-check.ts';

/** How long a request waits for a primary: as long as a dead one may keep the lead (20 s at the least with Consul), and more. */
const patienceMs = (ttlMs: number): number => Math.max(ttlMs, 20_000) + 10_000;

/** How long answers under way may take to end when the manager is stopped. */
const DRAIN_MS = 8_000;

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
  const replication = createReplication(config);
  const { leadership, rescheduler } = replication;
  const { tls } = config;
  // Managers speak TLS to one another where they do to clients.
  const between = tls?.cert && tls.key ? tls : undefined;
  const forwarder = config.replication
    ? new Forwarder({
        leadership,
        advertise: config.replication.advertise,
        patienceMs: patienceMs(config.replication.ttlMs),
        tls: between,
        log,
      })
    : undefined;
  const metrics = new Metrics();
  const calls = new Calls(log);
  const placer = new Placer(pool, { strategy: config.strategy, filters: config.filters, metrics });
  const leftovers = new Leftovers(pool, log);
  const context = {
    config,
    leadership,
    rescheduler,
    forwarder,
    pool,
    placer,
    leftovers,
    names: new ContainerNames({ pool, placer, leftovers }, leadership, replication.names),
    execs: new ExecIndex(pool),
    builds: new BuildSessions(pool),
    networks: new NetworkKeeper(pool),
    registryAuths: new RegistryAuths(),
    calls,
    metrics,
  };
  const server = await startApiServer({
    listen: config.listen,
    handle: createApi(context),
    ...(tls ? { tls } : {}),
    onRefused: (peer, reason) => log.info({ peer, reason }, 'Refused a client'),
  });
  for (const address of server.addresses) {
    const addr = address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
    log.info({ addr, proto: address.kind }, 'Listening for HTTP');
  }
  const closing = new AbortController();
  const rescheduling = new Rescheduler(context).run(closing.signal);
  const following = pool.run().catch((error: unknown) => {
    log.error({ err: error instanceof Error ? error.message : String(error) }, 'Discovery ended');
  });
  replication.start();
  if (config.replication)
    void checkAdvertised(config.replication.advertise, { tls: between, log, signal: closing.signal });
  return {
    addresses: server.addresses,
    async close() {
      closing.abort(new Error('the manager stops'));
      // First of all, so that the next primary need not wait for what this one still has to end.
      await replication.resign();
      forwarder?.hurry();
      calls.stop();
      await server.close(DRAIN_MS, calls.drained());
      await forwarder?.close();
      await pool.close();
      await following;
      await rescheduling;
    },
  };
}
