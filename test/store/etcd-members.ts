import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureEtcd } from '../stores/etcd.ts';
import { freePort, ServerProcess } from '../stores/server-process.ts';

const IP = '127.0.0.1';

/** One member of a real etcd of several. */
export interface Member {
  readonly endpoint: string;
  readonly process: ServerProcess;
}

/** Starts an etcd of three members, and waits until each serves. */
export async function startMembers(): Promise<AsyncDisposable & { readonly members: readonly Member[] }> {
  const bin = await ensureEtcd('3.4');
  const folder = mkdtempSync(join(tmpdir(), 'skep-etcd-members-'));
  const places: { name: string; client: number; peer: number; health: number }[] = [];
  for (const name of ['a', 'b', 'c']) {
    const [client, peer, health] = [await freePort(IP), await freePort(IP), await freePort(IP)];
    places.push({ name, client, peer, health });
  }
  const url = (port: number): string => `http://${IP}:${port}`;
  const cluster = places.map(({ name, peer }) => `${name}=${url(peer)}`).join(',');
  const members = places.map(({ name, client, peer, health }): Member => {
    const args = [
      ...['--name', name, '--data-dir', join(folder, name), '--initial-cluster', cluster],
      ...['--listen-client-urls', url(client), '--advertise-client-urls', url(client)],
      ...['--listen-peer-urls', url(peer), '--initial-advertise-peer-urls', url(peer)],
      ...['--listen-metrics-urls', url(health), '--heartbeat-interval', '50', '--election-timeout', '500'],
    ];
    const ready = async (): Promise<boolean> =>
      (await fetch(`${url(health)}/health`, { signal: AbortSignal.timeout(2_000) })).ok;
    const logFile = join(folder, `${name}.log`);
    const plan = { name: 'etcd', command: join(bin, 'etcd'), args, logFile, ready };
    return { endpoint: `${IP}:${client}`, process: new ServerProcess(plan) };
  });
  const end = async (): Promise<void> => {
    for (const { process } of members) await process.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(members.map(({ process }) => process.start()));
  } catch (error) {
    await end();
    throw error;
  }
  return { members, [Symbol.asyncDispose]: end };
}
