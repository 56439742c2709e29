import { noDockerConfig, tryRun, type CommandResult, type Host } from '../hosts/index.ts';

const LINE_MS = 60_000;
/** A line that hangs is given up, so that it can be tried again before its test is over. */
const TERMINAL_LINE_MS = 20_000;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a line as a person types it on that host, where docker is its own engine's; gives what it printed, without
 * the last newline. Rejects with its error output where it fails.
 */
export async function typed(host: Host, line: string, programs?: string): Promise<string> {
  const { code, stdout, stderr } = await tryTyped(host, line, programs);
  if (code !== 0) throw new Error(`${host.name}$ ${line}\nexit ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout.replace(/\n$/, '');
}

/** The same, whatever its exit. `programs` is a folder with more of them than the host has. */
export function tryTyped(host: Host, line: string, programs?: string): Promise<CommandResult> {
  return enter(host, ['sh', '-c', line], LINE_MS, programs);
}

/** The same at a terminal, as `docker run -it` wants one; gives what it showed, with the line ends of a file. */
export async function typedAtTerminal(host: Host, line: string): Promise<string> {
  const { code, stdout } = await enter(host, ['script', '-qefc', line, '/dev/null'], TERMINAL_LINE_MS);
  if (code !== 0) throw new Error(`${host.name}$ ${line}\nexit ${code}: ${stdout.trim()}`);
  // The end of its input shows, too.
  return stdout.replace(/^\^@/, '').replaceAll('\r\n', '\n').replace(/\n$/, '');
}

function enter(
  host: Host,
  command: readonly string[],
  limitMs: number,
  programs?: string,
): Promise<CommandResult> {
  const namespaces = ['-t', `${host.initPid}`, '-m', '-n', '-u', '-i', '-p', '--wd=/'];
  const env = {
    PATH: programs === undefined ? PATH : `${programs}:${PATH}`,
    DOCKER_CONFIG: noDockerConfig,
    DOCKER_HOST: undefined,
    DOCKER_CONTEXT: undefined,
    DOCKER_TLS_VERIFY: undefined,
    ETCDCTL_API: '2', // what etcdctl spoke when the guides were written
  };
  return tryRun('nsenter', [...namespaces, ...command], { env, signal: AbortSignal.timeout(limitMs) });
}
