import { within } from '../base/async.ts';
import { SwarmError } from '../base/errors.ts';
import { openDiscovery } from '../discovery/index.ts';
import { discoveryArgument } from './discovery-argument.ts';
import { durationFlag } from './durations.ts';
import type { FlagValues } from '../base/flags.ts';
import { storeOptions, unusedOptions } from './store-options.ts';

/** Closing a store must not hold a list that is there. */
const CLOSE_MS = 500;

/** The lines of `swarm list`: one address each. Rejects with `timeout` after `--timeout`; `warn` gets whole sentences. */
export async function listNodes(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  warn: (sentence: string) => void,
): Promise<readonly string[]> {
  const spec = discoveryArgument('list', args, env);
  const timeoutMs = durationFlag(values, 'timeout');
  if (timeoutMs <= 0) throw new SwarmError('invalid', '--timeout should be a positive number');
  const store = storeOptions(values.list('discovery-opt'), env);
  unusedOptions(values.list('discovery-opt'), spec).forEach(warn);
  const discovery = await openDiscovery(spec, { heartbeatMs: timeoutMs, store });
  const abort = new AbortController();
  const late = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => reject(new SwarmError('timeout', 'Timed out')), {
      once: true,
    });
  });
  const timer = setTimeout(() => abort.abort(), Math.min(timeoutMs, 2 ** 31 - 1));
  try {
    const entries = await Promise.race([discovery.list({ signal: abort.signal }), late]);
    return entries.map((entry) => entry.address);
  } finally {
    clearTimeout(timer);
    abort.abort();
    await within(CLOSE_MS, 'closing', discovery.close?.() ?? Promise.resolve()).catch(() => undefined);
  }
}
