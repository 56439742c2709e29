import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { unpackedPackages } from '../hosts/debian.ts';
import { run } from '../hosts/index.ts';
import { startStoreServer, type Place, type PlaceOptions, type StoreServer } from './store-server.ts';

export interface ZooKeeperOptions extends PlaceOptions {
  /** Milliseconds; 200 if nothing is said, which makes short sessions possible (ZooKeeper's own is 2000). */
  readonly tickTime?: number;
  /** The longest session it grants, milliseconds; 60,000 if nothing is said (ZooKeeper's own is 20 ticks). */
  readonly maxSessionTimeout?: number;
}

/** A real ZooKeeper, standalone. */
export interface ZooKeeper extends StoreServer {
  /** One command of ZooKeeper's own client (`create -e /a b`), which ends its session after it; gives its output. */
  zkCli(...args: string[]): Promise<string>;
}

const PACKAGES = [
  'libzookeeper-java',
  'libslf4j-java',
  'libdropwizard-metrics-java',
  'libsnappy-java',
  'libcommons-cli-java',
];
const JARS = [
  'zookeeper',
  'zookeeper-jute',
  'slf4j-api',
  'slf4j-simple',
  'metrics-core',
  'snappy-java',
  'commons-cli',
];
/** One small process: the C1 compiler alone starts quicker, and one thread collects the garbage. */
const JAVA = ['-Xmx64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dzookeeper.jmx.log4j.disable=true'];

/** The class path of Debian 12's ZooKeeper, fetched where it is not there yet. */
export async function ensureZooKeeper(): Promise<string> {
  const folder = join(await unpackedPackages('bookworm', PACKAGES), 'usr/share/java');
  return JARS.map((jar) => join(folder, `${jar}.jar`)).join(':');
}

/** Starts a ZooKeeper on a free port and waits until it serves. */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeper> {
  const classPath = await ensureZooKeeper();
  const java = (logLevel: string): string[] => [
    ...JAVA,
    `-Dorg.slf4j.simpleLogger.defaultLogLevel=${logLevel}`,
    ...['-cp', classPath],
  ];
  const { store } = await startStoreServer({
    name: 'zookeeper',
    usualPort: 2181,
    morePorts: 0,
    options,
    server: (place) => {
      const settings = join(place.folder, 'zoo.cfg');
      writeFileSync(settings, serverSettings(options, place));
      return {
        command: 'java',
        args: [...java('info'), 'org.apache.zookeeper.server.ZooKeeperServerMain', settings],
        ready: () => serves(place.ip, place.port),
      };
    },
  });
  const client = [...java('off'), 'org.apache.zookeeper.ZooKeeperMain', '-server', store.endpoint];
  return { ...store, zkCli: (...args) => run('java', [...client, ...args]) };
}

function serverSettings(
  { tickTime = 200, maxSessionTimeout = 60_000 }: ZooKeeperOptions,
  { data, ip, port }: Place,
): string {
  const settings = {
    tickTime,
    maxSessionTimeout,
    dataDir: data,
    clientPort: port,
    clientPortAddress: ip,
    maxClientCnxns: 0,
    'admin.enableServer': false,
    '4lw.commands.whitelist': 'srvr',
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** It listens, and answers `ruok`, a moment before it takes sessions; `srvr` tells them apart. */
function serves(ip: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, ip, () => socket.end('srvr'));
    socket.setTimeout(2000, () => socket.destroy());
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer.includes('Mode: standalone')));
  });
}
