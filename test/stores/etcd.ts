import { join } from 'node:path';
import { unpackedPackages, type Suite } from '../hosts/debian.ts';
import { run } from '../hosts/index.ts';
import { startStoreServer, type Place, type PlaceOptions, type StoreServer } from './store-server.ts';

export type EtcdVersion = '3.4' | '3.5';

export interface EtcdOptions extends PlaceOptions {
  /** 3.4 (Debian 12) if nothing is said. */
  readonly version?: EtcdVersion;
  /** Serves the v2 key API too. */
  readonly enableV2?: boolean;
  /** Serves v3 neither as gRPC nor as JSON: with `enableV2` a server as old as the v2 API. */
  readonly withoutV3?: boolean;
  /** Files; clients need a certificate of `ca`. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Kept at the end; a new one, removed at the end, if nothing is said. */
  readonly dataDir?: string;
  /** Milliseconds; 20 if nothing is said, which makes a start and short leases quick (etcd's own is 100). */
  readonly heartbeat?: number;
}

/** A real etcd, one member. */
export interface Etcd extends StoreServer {
  /** http://ip:port or https://ip:port. */
  readonly address: string;
  /** etcdctl (API 3) at it; gives its output. */
  etcdctl(...args: string[]): Promise<string>;
}

const SUITES: Readonly<Record<EtcdVersion, Suite>> = { '3.4': 'bookworm', '3.5': 'trixie' };

/** The folder with `etcd` and `etcdctl` of that version, fetched where it is not there yet. */
export async function ensureEtcd(version: EtcdVersion): Promise<string> {
  return join(await unpackedPackages(SUITES[version], ['etcd-server', 'etcd-client']), 'usr/bin');
}

/** Starts an etcd on free ports and waits until it serves. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const bin = await ensureEtcd(options.version ?? '3.4');
  const { dataDir } = options;
  const { store } = await startStoreServer({
    name: 'etcd',
    usualPort: 2379,
    morePorts: 2,
    options,
    ...(dataDir === undefined ? {} : { dataDir }),
    server: (place) => {
      const health = `http://${place.ip}:${place.more[1] ?? 0}`;
      return {
        command: join(bin, 'etcd'),
        args: serverArgs(options, place, health),
        ready: async () => (await fetch(`${health}/health`, { signal: AbortSignal.timeout(2000) })).ok,
      };
    },
  });
  const address = addressOf(options, store.endpoint);
  const ctlArgs = [`--endpoints=${address}`, ...clientTls(options.tls)];
  return {
    ...store,
    address,
    etcdctl: (...args) => run(join(bin, 'etcdctl'), [...ctlArgs, ...args], { env: { ETCDCTL_API: '3' } }),
  };
}

function addressOf({ tls }: EtcdOptions, endpoint: string): string {
  return `${tls ? 'https' : 'http'}://${endpoint}`;
}

function serverArgs(options: EtcdOptions, { data, ip, port, more }: Place, health: string): string[] {
  const { tls, heartbeat = 20 } = options;
  const address = addressOf(options, `${ip}:${port}`);
  const peer = `http://${ip}:${more[0] ?? 0}`;
  return [
    ...['--name', 'one', '--data-dir', data],
    ...['--listen-client-urls', address, '--advertise-client-urls', address],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `one=${peer}`, '--listen-metrics-urls', health],
    ...['--heartbeat-interval', `${heartbeat}`, '--election-timeout', `${heartbeat * 10}`],
    ...(options.enableV2 ? ['--enable-v2'] : []),
    ...(options.withoutV3 ? ['--enable-grpc-gateway=false'] : []),
    ...(tls
      ? [
          ...['--cert-file', tls.cert, '--key-file', tls.key],
          ...['--trusted-ca-file', tls.ca, '--client-cert-auth'],
        ]
      : []),
  ];
}

function clientTls(tls: EtcdOptions['tls']): string[] {
  return tls ? ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key] : [];
}
