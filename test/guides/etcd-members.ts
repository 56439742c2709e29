import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../hosts/index.ts';
import { ensureEtcd } from '../stores/etcd.ts';
import { ServerProcess } from '../stores/server-process.ts';

export interface EtcdMembers extends AsyncDisposable {
  /** The folder with etcdctl. */
  readonly bin: string;
}

/**
 * An etcd as guides run it: on each of the hosts a member of one cluster, which that host finds at 127.0.0.1:2379 and
 * others at its address. It serves the v2 keys, as all of them did then; `onlyV2` makes it as old as those guides.
 * End it before the hosts. Rejects, leaving nothing, where the members don't come up together.
 */
export async function startEtcdMembers(
  hosts: readonly Host[],
  { onlyV2 = false }: { onlyV2?: boolean } = {},
): Promise<EtcdMembers> {
  const bin = await ensureEtcd('3.5');
  const folder = mkdtempSync(join(tmpdir(), 'skep-etcd-members-'));
  const cluster = hosts.map((host) => `${host.name}=http://${host.ip}:2380`).join(',');
  const members = hosts.map(
    (host) =>
      new ServerProcess({
        name: `etcd on ${host.name}`,
        command: join(bin, 'etcd'),
        args: [...memberArgs(host, cluster, join(folder, host.name)), ...(onlyV2 ? ONLY_V2 : [])],
        logFile: join(folder, `${host.name}.log`),
        // Healthy is who knows a leader: the members wait for one another.
        ready: async () =>
          (await fetch(`http://${host.ip}:2379/health`, { signal: AbortSignal.timeout(2000) })).ok,
        ...(host.initPid === undefined ? {} : { networkOf: host.initPid }),
      }),
  );
  const dispose = async (): Promise<void> => {
    await Promise.allSettled(members.map((member) => member.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  const starts = await Promise.allSettled(members.map((member) => member.start()));
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed !== undefined) {
    await dispose();
    throw failed.reason;
  }
  return { bin, [Symbol.asyncDispose]: dispose };
}

/** Neither gRPC nor its JSON: nothing of v3 is there for agents and managers. */
const ONLY_V2 = ['--enable-grpc-gateway=false'];

function memberArgs({ name, ip }: Host, cluster: string, dataDir: string): string[] {
  return [
    ...['--name', name, '--data-dir', dataDir, '--enable-v2'],
    ...['--listen-client-urls', `http://127.0.0.1:2379,http://${ip}:2379`],
    ...['--advertise-client-urls', `http://${ip}:2379`],
    ...['--listen-peer-urls', `http://${ip}:2380`, '--initial-advertise-peer-urls', `http://${ip}:2380`],
    ...['--initial-cluster', cluster, '--initial-cluster-state', 'new'],
    // Neither a busy disk (its data is thrown away) nor a busy processor may cost it its leader.
    ...['--unsafe-no-fsync', '--heartbeat-interval', '300', '--election-timeout', '3000'],
  ];
}
