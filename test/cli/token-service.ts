import { until } from '../hosts/index.ts';
import { start, type Running } from './swarm-process.ts';

/** `swarm discovery` on a free port of the loopback, or on the one given. */
export interface TokenService extends Running {
  readonly url: string;
  readonly port: number;
}

const START_MS = 30_000;

/** Starts it and waits until it listens. */
export async function startTokenService(
  stateDir: string,
  { port = 0, args = [] }: { port?: number; args?: readonly string[] } = {},
): Promise<TokenService> {
  const running = start(['discovery', '-H', `tcp://127.0.0.1:${port}`, '--state-dir', stateDir, ...args]);
  const bound = await until('the token service to listen', START_MS, () => {
    const found = /Listening for HTTP" addr="127\.0\.0\.1:(\d+)"/.exec(running.log())?.[1];
    if (found === undefined && running.log().includes('level=fatal')) throw new Error(running.log());
    return found;
  });
  const scheme = args.includes('--tls') || args.includes('--tlsverify') ? 'https' : 'http';
  return { ...running, port: Number(bound), url: `${scheme}://127.0.0.1:${bound}` };
}
