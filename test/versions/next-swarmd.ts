import { parseFlags } from '../../src/base/flags.ts';
import { createLog } from '../../src/base/log.ts';
import { stopSignal } from '../../src/base/stop-signal.ts';
import { FLAGS } from '../../src/daemon/flags.ts';
import { daemonOptions } from '../../src/daemon/options.ts';
import { serve } from '../../src/daemon/serve.ts';
import { NEXT } from '../store/next-layout.ts';

// This swarmd as it may be some day: it knows one more layout of the state.
const log = createLog('debug', process.stdout);
const parsed = parseFlags(FLAGS, process.argv.slice(2), { env: process.env, mixed: true });
if (parsed.kind === 'wrong') throw new Error(parsed.message);
await serve(daemonOptions(parsed.values), {
  signal: stopSignal(log),
  log,
  env: process.env,
  layouts: NEXT,
});
process.exit(0);
