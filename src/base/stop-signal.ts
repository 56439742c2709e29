import type { Logger } from './log.ts';

const SIGNAL_NUMBER = { SIGINT: 2, SIGTERM: 15 };

/** Fires at the first SIGINT or SIGTERM; the second one ends the process at once, whatever it waits for. */
export function stopSignal(log: Logger): AbortSignal {
  const abort = new AbortController();
  const stop = (name: 'SIGINT' | 'SIGTERM'): void => {
    if (abort.signal.aborted) process.exit(128 + SIGNAL_NUMBER[name]);
    log.info({ signal: name }, 'Stopping; a second signal ends at once');
    abort.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return abort.signal;
}
