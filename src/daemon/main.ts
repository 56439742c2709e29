import { quietly } from '../base/log.ts';
import { stopSignal } from '../base/stop-signal.ts';
import { runSwarmd } from './run.ts';

// What nobody caught is a mistake of ours. It is said in words before the process ends, and whoever looks after it
// starts it again: what was acknowledged is on disk.
process.on('uncaughtException', (error) => {
  const said = JSON.stringify(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.stdout.write(`time="${new Date().toISOString()}" level=fatal msg="Unexpected error" err=${said}\n`);
  process.exit(1);
});

const code = await runSwarmd(process.argv.slice(2), {
  env: process.env,
  out: quietly(process.stdout),
  err: quietly(process.stderr),
  serve: async (options, log) => {
    const { serve } = await import('./serve.ts');
    await serve(options, { signal: stopSignal(log), log, env: process.env });
  },
  backup: async (stateDir, file) => (await import('./backup.ts')).backup(stateDir, file),
  restore: async (stateDir, file) => (await import('./backup.ts')).restore(stateDir, file),
});
// Pipes and files are written synchronously on Linux, so nothing is lost; idle sockets must not hold the process.
process.exit(code);
