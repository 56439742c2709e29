import { run } from '../../test/hosts/index.ts';

export function step(line: string): void {
  console.log(`> ${line}`);
}

/** `docker …` at this address as a person types it, whatever that person's own settings are. */
export async function docker(url: string, ...args: string[]): Promise<string> {
  // The plain builder: the other one wants a plugin that a fresh machine does not have.
  const env = { DOCKER_BUILDKIT: '0', DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined };
  return run('docker', ['-H', url, ...args], { env });
}

/** The same, with the command shown before. */
export async function shown(url: string, ...args: string[]): Promise<string> {
  step(`docker ${args.join(' ')}`);
  return docker(url, ...args);
}
