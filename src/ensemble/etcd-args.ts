import type { MemberConfig, MemberFolder } from './member-folder.ts';
import { clientListenUrls, clientUrl, peerListenUrl, peerUrl } from './places.ts';

/**
 * The members of one etcd have the same. A leader that is lost is followed within twice the second, and leases are longer by it once:
 * less than that and a slow disk is taken for a dead member.
 */
const [HEARTBEAT_MS, ELECTION_MS] = [100, 500];
/** What changed is kept for so long; etcd forgets the rest by itself. */
const KEPT_HISTORY = '10m';
/** Commits in memory before etcd writes a snapshot; its own 100,000 of up to 1 MiB are too many. */
const SNAPSHOT_COUNT = 10_000;
/** Of the database on the disk; with more, etcd takes no writes until some are forgotten. */
export const QUOTA_BYTES = 4 * 1024 ** 3;

/** The name of the argument by which a process is known to be a folder's. */
export function dataArgument(folder: MemberFolder): string {
  return `--data-dir=${folder.data}`;
}

/** What etcd is started with; flags that 3.4 and everything newer know. */
export function etcdArgs(folder: MemberFolder, config: MemberConfig): string[] {
  const { certificates } = folder;
  return [
    `--name=${config.name}`,
    dataArgument(folder),
    `--listen-client-urls=${clientListenUrls(config).join(',')}`,
    `--advertise-client-urls=${clientUrl(config)}`,
    `--listen-peer-urls=${peerListenUrl(config)}`,
    `--initial-advertise-peer-urls=${peerUrl(config)}`,
    `--initial-cluster=${config.initialCluster}`,
    `--initial-cluster-token=${config.token}`,
    `--initial-cluster-state=${config.comesInto}`,
    '--client-cert-auth',
    `--trusted-ca-file=${certificates.path('server', 'ca')}`,
    `--cert-file=${certificates.path('server', 'cert')}`,
    `--key-file=${certificates.path('server', 'key')}`,
    '--peer-client-cert-auth',
    `--peer-trusted-ca-file=${certificates.path('peer', 'ca')}`,
    `--peer-cert-file=${certificates.path('peer', 'cert')}`,
    `--peer-key-file=${certificates.path('peer', 'key')}`,
    // A member behind a translated address connects from another one than it is reached at; its certificate is enough.
    '--experimental-peer-skip-client-san-verification',
    `--heartbeat-interval=${HEARTBEAT_MS}`,
    `--election-timeout=${ELECTION_MS}`,
    // A member that was cut off comes back without an election.
    '--pre-vote',
    '--auto-compaction-mode=periodic',
    `--auto-compaction-retention=${KEPT_HISTORY}`,
    `--snapshot-count=${SNAPSHOT_COUNT}`,
    `--quota-backend-bytes=${QUOTA_BYTES}`,
    '--enable-grpc-gateway=false',
    '--logger=zap',
    '--log-outputs=stderr',
    '--log-level=info',
    ...(config.alone === true ? ['--force-new-cluster'] : []),
  ];
}

/**
 * Nothing of swarmd's own: ETCD_… would be options, and a proxy's address would have members meet there. 3.4 wants to be told that it
 * may run on a processor that its authors had not tried then.
 */
export function etcdEnv(env: NodeJS.ProcessEnv, arch: string = process.arch): NodeJS.ProcessEnv {
  return {
    ...(env['PATH'] === undefined ? {} : { PATH: env['PATH'] }),
    ...(arch === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {}),
  };
}
