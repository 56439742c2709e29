import type { IncomingMessage } from 'node:http';
import { SwarmError } from '../base/errors.ts';
import { http } from '../base/node-http.ts';
import { wireWords } from '../base/wire-words.ts';
import { readReport } from './health-file.ts';
import { listenText, type ListenAddress } from '../base/listen-address.ts';

/** Less than the time that health checks usually have. */
const ANSWER_MS = 4_000;

/**
 * A line that says how the command of this container is. Throws `invalid` for arguments, and `unavailable` with the
 * reason when it is not well: an agent that has no valid registration, a manager that does not answer.
 */
export async function checkHealth(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  if (args.length > 0)
    throw new SwarmError('invalid', "the `health` command takes no arguments. See 'swarm health --help'.");
  const report = readReport(env);
  if (report.kind === 'agent') {
    const leftMs = report.untilMs - Date.now();
    if (leftMs > 0) return `registered ${report.addr} for another ${Math.ceil(leftMs / 1000)}s\n`;
    const what = report.untilMs === 0 ? 'not registered yet' : 'the registration has run out';
    const why = report.trouble === '' ? '' : `: ${report.trouble}`;
    throw new SwarmError('unavailable', `${report.addr}: ${what}${why}`);
  }
  const [first] = report.listen;
  if (!first) throw new SwarmError('unavailable', 'it listens nowhere');
  return `${listenText(first)} answers with status ${await ping(first)}\n`;
}

/** A listener with TLS says so to a plain request, which shows as well that it lives. */
async function ping(address: ListenAddress): Promise<number> {
  const target = address.kind === 'unix' ? { socketPath: address.path } : tcpTarget(address);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const request = http.get({ ...target, path: '/_ping', agent: false, signal }, resolve);
    request.on('error', (error) => {
      const why = signal.aborted ? `no answer within ${ANSWER_MS} ms` : wireWords(error);
      reject(new SwarmError('unavailable', `${listenText(address)}: ${why}`, { cause: error }));
    });
  });
  response.destroy();
  const status = response.statusCode ?? 0;
  if (status < 500) return status;
  throw new SwarmError('unavailable', `${listenText(address)}: status ${status}`);
}

function tcpTarget({ host, port }: { host: string; port: number }): { host: string; port: number } {
  const every = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' }[host];
  return { host: every ?? host, port };
}
