import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tryRun, until, type Host } from '../hosts/index.ts';

export const READY_MS = 30_000;
/** The user that the image's processes become. */
export const NOBODY = '65534';

/** Runs the image to its end: what it printed, and its exit code. */
export function swarm(host: Host, ...args: string[]): ReturnType<Host['tryDocker']> {
  return host.tryDocker('run', '--rm', 'swarm', ...args);
}

/** Everything a container has written. */
export async function logsOf(host: Host, name: string): Promise<string> {
  const { stdout, stderr } = await host.tryDocker('logs', name);
  return stdout + stderr;
}

/** The user of a container's process, once it has given up being root. */
export function userOf(host: Host, name: string): Promise<string> {
  return until(`${name} dropped its privileges`, READY_MS, async () => {
    const [uid] = await idsOf(host, name);
    return uid === '0' ? undefined : uid;
  });
}

/** uid, gid and supplementary groups of a container's first process, as numbers. */
export async function idsOf(host: Host, name: string): Promise<string[]> {
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', name);
  const status = await host.exec('cat', `/proc/${pid}/status`);
  const field = (key: string): string[] =>
    new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? [];
  return [field('Uid')[1] ?? '', field('Gid')[1] ?? '', ...field('Groups').filter(Boolean)];
}

/** Waits until docker makes this of a container's health checks. */
export async function untilHealth(host: Host, name: string, wanted: 'healthy' | 'unhealthy'): Promise<void> {
  await until(`${name} to be ${wanted}`, READY_MS, async () => {
    const status = await host.docker('inspect', '-f', '{{.State.Health.Status}}', name);
    return status === wanted || undefined;
  });
}

/** `docker info` of a manager once `healthy` engines are in it. */
export function infoOf(cli: readonly string[], healthy: number): Promise<string> {
  return until(`${healthy} healthy engines at ${cli.join(' ')}`, READY_MS, async () => {
    const { stdout } = await tryRun('docker', [...cli, 'info']);
    return (stdout.match(/Status: Healthy/g) ?? []).length >= healthy ? stdout : undefined;
  });
}

/** A server of this machine that takes connections and says nothing, for as long as it is in use. */
export async function silentServer(): Promise<AsyncDisposable & { port: number }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
  });
  await new Promise<void>((done) => server.listen(0, done));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
