import type { Logger } from '../base/log.ts';
import { within } from '../base/async.ts';
import { COMMIT, VERSION } from '../base/version.ts';
import { openDiscovery } from '../discovery/index.ts';
import { startManager } from '../virtual-host/index.ts';
import { dropPrivileges, pathsOf } from './drop-privileges.ts';
import { healthFile, reportListening } from './health-file.ts';
import { isExposed, listenText } from '../base/listen-address.ts';
import { explainListenError } from '../base/listen-error.ts';
import type { ManageOptions } from './manage-options.ts';
import { followTlsFiles } from '../certs/index.ts';

/** How long open requests may take to end when the manager is stopped. */
const CLOSE_MS = 10_000;

/**
 * Runs a manager until the signal fires, then closes it. Rejects with a SwarmError: `unsupported` for what is not built,
 * `unavailable` where it cannot listen.
 */
export async function runManage(
  options: ManageOptions & { debug: boolean },
  { signal, log }: { signal: AbortSignal; log: Logger },
): Promise<void> {
  const discovery = await openDiscovery(options.discovery, {
    heartbeatMs: options.heartbeatMs,
    store: options.store,
  });
  for (const warning of options.warnings) log.warn(warning);
  warnOfOpenDoors(options, log);
  const manager = await startManager({
    listen: options.hosts,
    ...(options.tls ? { tls: options.tls } : {}),
    discovery,
    ...(options.replication ? { replication: options.replication } : {}),
    strategy: options.strategy,
    filters: options.filters,
    overcommit: options.clusterOpts.overcommit,
    createRetry: options.clusterOpts.createRetry,
    engineRefreshMinMs: options.engineRefreshMinMs,
    engineRefreshMaxMs: options.engineRefreshMaxMs,
    engineFailureRetry: options.engineFailureRetry,
    debug: options.debug,
    cors: options.cors,
    refreshOnNodeFilter: options.refreshOnNodeFilter,
    containerNameRefreshFilter: options.containerNameRefreshFilter,
    version: VERSION,
    commit: COMMIT,
    log: log,
  }).catch((error: unknown) => {
    throw explainListenError(error);
  });
  if (options.tls) void followTlsFiles(options.tls, { signal, log });
  dropPrivileges(log, { used: pathsOf(options.discovery) });
  reportListening(healthFile(process.env), manager.addresses, log);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await within(CLOSE_MS, 'closing the manager', manager.close());
  await discovery.close?.();
}

/** Whoever reaches an API without TLS is root on every engine. */
function warnOfOpenDoors(options: ManageOptions, log: Logger): void {
  if (options.tls) {
    if (!options.tls.verify)
      log.warn(
        '--tls without --tlsverify: clients are not asked for a certificate, anyone who reaches this manager controls its engines',
      );
    return;
  }
  for (const host of options.hosts.filter(isExposed))
    log.warn(
      { addr: listenText(host) },
      'Listening without TLS: anyone who reaches this address controls every engine (use --tlsverify)',
    );
}
