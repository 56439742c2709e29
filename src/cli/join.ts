import type { Logger } from '../base/log.ts';
import { messageOf } from '../base/errors.ts';
import { within } from '../base/async.ts';
import { formatDuration } from '../base/duration.ts';
import { openDiscovery } from '../discovery/index.ts';
import { AdvertiseCheck } from './advertise-check.ts';
import { healthFile, report, unreport } from './health-file.ts';
import type { JoinOptions } from './join-options.ts';
import { Heartbeat } from './heartbeat.ts';
import { shedStripper } from './lean.ts';

/** Closing must not hold an agent that was told to stop. */
const CLOSE_MS = 300;

/**
 * Registers, again and again, until the signal fires; goes on whatever the discovery service or the engine does. Rejects
 * with `invalid` for a discovery argument that cannot be read and `unsupported` for one where nothing can be registered.
 */
export async function runJoin(
  options: JoinOptions,
  { signal, log }: { signal: AbortSignal; log: Logger },
): Promise<void> {
  const { advertise: addr, heartbeatMs, ttlMs, delayMs } = options;
  const discovery = await openDiscovery(options.discovery, { heartbeatMs, store: options.store });
  // Before it has begun with anything.
  shedStripper();
  for (const warning of options.warnings) log.warn(warning);
  log.info(
    { addr, discovery: discovery.scheme },
    `Registering on the discovery service every ${formatDuration(heartbeatMs)}...`,
  );
  const file = healthFile(process.env);
  let untilMs = 0;
  let isReported = true;
  // That nobody can read how it is, is said once.
  const tell = (trouble: string): void => {
    isReported = report(file, { kind: 'agent', addr, untilMs, trouble }, isReported ? log : undefined);
  };
  tell('');
  const check = new AdvertiseCheck(addr, options.store.tls);
  let said: string | undefined = '';
  let looking = false;
  // Until an engine was seen; what becomes of it later is for the managers to say.
  const look = async (): Promise<void> => {
    if (said === undefined || looking) return;
    looking = true;
    const warning = await check.warning(signal);
    looking = false;
    if (signal.aborted || warning === said) return;
    if (warning !== undefined) log.warn({ addr }, warning);
    else if (said !== '') log.info({ addr }, 'An engine answers at the advertised address');
    said = warning;
  };
  const heartbeat = new Heartbeat({
    register: (abort) => discovery.register(addr, { ttlMs, signal: abort }),
    heartbeatMs,
    delayMs,
    onBeat: () => void look(),
    onRegistered(again) {
      untilMs = Date.now() + ttlMs;
      tell('');
      if (!again) log.info({ addr, ttl: formatDuration(ttlMs) }, 'Registered');
    },
    onTrouble(error) {
      tell(messageOf(error));
      log.error({ addr, err: messageOf(error) }, 'Cannot register, trying again');
    },
  });
  try {
    await heartbeat.run(signal);
  } finally {
    unreport(file);
    const closed = discovery.close?.() ?? Promise.resolve();
    await within(CLOSE_MS, 'closing', closed).catch(() => undefined);
  }
}
