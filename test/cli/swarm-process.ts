import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The command as it is in the checkout. */
export const SWARM = fileURLToPath(new URL('../../bin/swarm', import.meta.url));

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, with nothing but PATH and the given variables around it. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, command = SWARM): Promise<Run> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
