import { run, tryRun, type CommandResult, type Host } from '../hosts/index.ts';

/** Where a client stands: the command, with its arguments, that starts another one there. Nothing for this machine. */
export type Place = readonly string[];

/** Beside the hosts, on their network: an address that is no node's. */
export const outside: Place = [];

/** On a host, in its own network. */
export function onHost(host: Host): Place {
  return ['nsenter', ...host.entry];
}

/** In the network of a container, with this machine's programs. */
export async function inContainer(host: Host, container: string): Promise<Place> {
  const key = await host.docker('inspect', '--format', '{{.NetworkSettings.SandboxKey}}', container);
  return inNamespace(host, key);
}

/** In a network namespace of a host, by its file there. */
export function inNamespace(host: Host, path: string): Place {
  return [...onHost(host), 'nsenter', `--net=${path}`];
}

/** The files of the network namespaces that a host's engine has made: `ingress_sbox`, `lb_…` and those of containers. */
export async function namespacesOf(host: Host): Promise<string[]> {
  // Files of former ones may be left.
  const kinds = await host.exec('sh', '-c', "stat -f -c '%T %n' /var/run/docker/netns/*");
  return kinds.split('\n').flatMap((line) => /^nsfs (.*)$/.exec(line)?.[1] ?? []);
}

const CURL_S = 5;

/** Fetches pages one after the other, up to the first that it can't; what curl says. */
export function tryFetch(from: Place, ...urls: string[]): Promise<CommandResult> {
  return at(from, 'curl', '-sS', '--fail-early', '--noproxy', '*', '--max-time', `${CURL_S}`, ...urls);
}

/** The same: their texts. Rejects where one is missing. */
export async function fetchFrom(from: Place, ...urls: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryFetch(from, ...urls);
  if (code !== 0) throw new Error(stderr.trim() || `curl: exit ${code}`);
  return stdout.trim();
}

/** Runs a command in a place, whatever its exit. */
export function at(from: Place, ...command: string[]): Promise<CommandResult> {
  const [program = '', ...args] = [...from, ...command];
  return tryRun(program, args);
}

/** The same: its output, or an error with what it said. */
export function runAt(from: Place, ...command: string[]): Promise<string> {
  const [program = '', ...args] = [...from, ...command];
  return run(program, args);
}
