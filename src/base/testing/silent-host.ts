import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

/** Listens, and never takes a connection. */
const NEVER_ACCEPTS = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 120_000);
  });`;
/** More than its queue has room for. */
const WAITING = 8;

export interface SilentHost {
  readonly addr: string;
  close(): Promise<void>;
}

/** An address at which nobody answers, as at that of a host that is off: a queue that is full drops what comes. */
export async function startSilentHost(): Promise<SilentHost> {
  const child = spawn(process.execPath, ['-e', NEVER_ACCEPTS], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const addr = `127.0.0.1:${port.toString()}`;
  const waiting = Array.from({ length: WAITING }, () => connect(Number(port.toString()), '127.0.0.1'));
  for (const one of waiting) one.on('error', () => undefined);
  // What was there first has its place, and the last one comes after it.
  await Promise.race(waiting.map((one) => once(one, 'connect')));
  return {
    addr,
    close: async () => {
      child.kill('SIGKILL');
      await exited;
      for (const one of waiting) one.destroy();
    },
  };
}
