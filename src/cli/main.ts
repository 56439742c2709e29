import { quietly } from '../base/log.ts';
import { dropPrivileges } from './drop-privileges.ts';
import { runSwarm } from './run.ts';
import { stopSignal } from '../base/stop-signal.ts';

// What nobody caught is a mistake of ours. It is said in words before the process ends, and whoever looks after it
// starts it again: a manager keeps nothing that its engines do not know.
process.on('uncaughtException', (error) => {
  const said = JSON.stringify(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.stdout.write(`time="${new Date().toISOString()}" level=fatal msg="Unexpected error" err=${said}\n`);
  process.exit(1);
});

const code = await runSwarm(process.argv.slice(2), {
  env: process.env,
  out: quietly(process.stdout),
  err: quietly(process.stderr),
  manage: async (options, log) => {
    const { runManage } = await import('./manage.ts');
    await runManage(options, { signal: stopSignal(log), log });
  },
  join: async (options, log) => {
    const { runJoin } = await import('./join.ts');
    dropPrivileges(log); // the key files of the store are read
    await runJoin(options, { signal: stopSignal(log), log });
  },
  discovery: async (options, log) => {
    const { runDiscoveryService } = await import('./run-discovery-service.ts');
    await runDiscoveryService(options, { signal: stopSignal(log), log });
  },
});
// Pipes and files are written synchronously on Linux, so nothing is lost; idle sockets must not hold the process.
process.exit(code);
