import {
  noDockerConfig,
  run,
  tryRun,
  type CommandOptions,
  type CommandResult,
  type DockerCli,
} from '../hosts/index.ts';

/** A docker CLI at a fixed host; no configuration of the machine's user counts. */
export interface Cli {
  readonly version: string;
  readonly path: string;
  /** Its output; rejects on a non-zero exit. */
  (...args: string[]): Promise<string>;
  try(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

export function cliAt(host: string, { path, version }: DockerCli): Cli {
  const env = { DOCKER_CONFIG: noDockerConfig, DOCKER_HOST: host };
  const call = (...args: string[]): Promise<string> => run(path, args, { env });
  return Object.assign(call, {
    version,
    path,
    try: (args: readonly string[], options: CommandOptions = {}) =>
      tryRun(path, args, { ...options, env: { ...env, ...options.env } }),
  });
}
