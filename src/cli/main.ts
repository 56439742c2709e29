import { quietly } from '../base/log.ts';
import { runSwarm } from './run.ts';
import { stopSignal } from './stop-signal.ts';

const code = await runSwarm(process.argv.slice(2), {
  env: process.env,
  out: quietly(process.stdout),
  err: quietly(process.stderr),
  manage: async (options, log) => {
    const { runManage } = await import('./manage.ts');
    await runManage(options, { signal: stopSignal(log), log });
  },
});
// Pipes and files are written synchronously on Linux, so nothing is lost; idle sockets must not hold the process.
process.exit(code);
