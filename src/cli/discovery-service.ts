import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import { DEFAULT_TOKEN_HOST } from './commands.ts';
import type { FlagValues } from '../base/flags.ts';
import { parseListenAddress, type ListenAddress } from '../base/listen-address.ts';
import { tlsFiles, type TlsFiles } from '../certs/index.ts';

/** What `swarm discovery` was told, read and checked. */
export interface DiscoveryServiceOptions {
  hosts: readonly ListenAddress[];
  tls?: TlsFiles;
  /** The folder of the database. */
  stateDir: string;
}

/** Reads the flags of `discovery`. Throws `invalid`, and `unavailable` naming a file that cannot be used. */
export function discoveryServiceOptions(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): DiscoveryServiceOptions {
  if (args.length > 0)
    throw new SwarmError(
      'invalid',
      "the `discovery` command takes no arguments. See 'swarm discovery --help'.",
    );
  const tls = tlsFiles(values);
  const given = values.list('host');
  const hosts = [...new Set(given.length > 0 ? given : [DEFAULT_TOKEN_HOST])].map(parseListenAddress);
  const stateDir = resolve(values.text('state-dir') || defaultStateDir(env));
  return { hosts, ...(tls ? { tls } : {}), stateDir };
}

function defaultStateDir(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/swarm/discovery';
  return join(env['HOME'] || homedir(), '.swarm/discovery');
}
