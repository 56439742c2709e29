import { once } from 'node:events';
import { within } from '../base/async.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { startApiServer } from '../docker-api/index.ts';
import { keepSwept, Registrations, tokenService } from '../token-service/index.ts';
import type { DiscoveryServiceOptions } from './discovery-service.ts';
import { dropPrivileges } from './drop-privileges.ts';
import { healthFile, reportListening } from './health-file.ts';
import { isExposed, listenText } from '../base/listen-address.ts';
import { explainListenError } from '../base/listen-error.ts';
import { followTlsFiles } from '../certs/index.ts';

const CLOSE_MS = 5_000;

/** Serves tokens until the signal fires. Rejects with `unavailable` where it can't listen or keep them. */
export async function runDiscoveryService(
  options: DiscoveryServiceOptions,
  { signal, log }: { signal: AbortSignal; log: Logger },
): Promise<void> {
  using registrations = new Registrations({ folder: options.stateDir });
  log.info({ path: registrations.path }, 'Keeping registrations');
  warnOfOpenDoors(options, log);
  const { tls } = options;
  const server = await startApiServer({
    listen: options.hosts,
    handle: tokenService({ registrations, log }),
    ...(tls ? { tls } : {}),
  }).catch((error: unknown) => {
    throw explainListenError(error);
  });
  for (const address of server.addresses)
    log.info(
      { addr: listenText(address), proto: address.kind, tls: tls !== undefined },
      'Listening for HTTP',
    );
  dropPrivileges(log, { owned: [options.stateDir] });
  reportListening(healthFile(process.env), server.addresses, log);
  if (tls) void followTlsFiles(tls, { signal, log });
  const swept = keepSwept(registrations, signal);
  if (!signal.aborted) await once(signal, 'abort');
  await within(CLOSE_MS, 'closing the service', server.close(500)).catch((error: unknown) => {
    log.warn(messageOf(error));
  });
  await swept;
}

/** Whoever knows a token can send its manager to an engine of his own. */
function warnOfOpenDoors({ hosts, tls }: DiscoveryServiceOptions, log: Logger): void {
  if (tls?.verify) return;
  for (const host of hosts.filter(isExposed))
    log.warn(
      { addr: listenText(host) },
      `${tls ? 'Without --tlsverify' : 'Listening without TLS'}: a token is all that protects its cluster's list, also against engines that do not belong there`,
    );
}
