import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from '../hosts/index.ts';
import { ServerProcess } from '../stores/server-process.ts';

/** The folder with `swarm`, for PATH. */
export const swarmFolder = fileURLToPath(new URL('../../bin', import.meta.url));

interface LastingLine {
  readonly line: string;
  /** What it writes goes into this folder. */
  readonly folder: string;
  /** What it has written once it does its work. */
  readonly says: string;
  readonly env?: Readonly<Record<string, string>>;
}

let lines = 0;

/**
 * Types a line on a host that goes on until it is stopped, such as `swarm manage …`, and waits until it does its work.
 * It has the network of the host, and ends with this process.
 */
export async function startLine(
  host: Host,
  { line, folder, says, env }: LastingLine,
): Promise<ServerProcess> {
  if (host.initPid === undefined) throw new Error(`${host.name}: the power is off`);
  const process: ServerProcess = new ServerProcess({
    name: `${host.name}$ ${line}`,
    command: 'sh',
    args: ['-c', `exec ${line}`],
    env: { PATH: `${swarmFolder}:/usr/sbin:/usr/bin:/sbin:/bin`, ...env },
    logFile: join(folder, `line-${++lines}.log`),
    networkOf: host.initPid,
    ready: () => Promise.resolve(process.log().includes(says)),
  });
  await process.start();
  return process;
}
