import { runManage } from '../../src/cli/manage.ts';
import { runDiscoveryService } from '../../src/cli/run-discovery-service.ts';
import { runSwarm } from '../../src/cli/run.ts';
import type { Run } from './swarm-process.ts';

/** No command that is to fail at once takes so long. */
const LONGEST_MS = 20_000;

/**
 * What `swarm` does with these arguments, without the cost of a process. Not for what gets as far as joining: an agent
 * may start its process anew.
 */
export async function runHere(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  let [stdout, stderr] = ['', ''];
  const signal = AbortSignal.timeout(LONGEST_MS);
  const code = await runSwarm(args, {
    env,
    out: { write: (text) => (stdout += text) },
    err: { write: (text) => (stderr += text) },
    manage: (options, log) => runManage(options, { signal, log }),
    discovery: (options, log) => runDiscoveryService(options, { signal, log }),
    join: () => Promise.reject(new Error('nothing is joined here')),
  });
  return { code, stdout, stderr };
}
