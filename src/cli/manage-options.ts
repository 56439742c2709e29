import { SwarmError } from '../base/errors.ts';
import { isHostPort } from '../base/host-port.ts';
import { tlsFiles, tlsWarnings, type TlsFiles } from '../certs/index.ts';
import type { DiscoverySpec, StoreOptions } from '../discovery/index.ts';
import {
  DEFAULT_FILTERS,
  FILTER_NAMES,
  STRATEGY_NAMES,
  type FilterName,
  type StrategyName,
} from '../scheduler/index.ts';
import { DEFAULT_HOST } from './commands.ts';
import { discoveryArgument } from './discovery-argument.ts';
import { durationFlag, heartbeatFlag } from './durations.ts';
import type { FlagValues } from '../base/flags.ts';
import { clusterOpts, unsupportedCluster, type ClusterOpts } from './key-values.ts';
import { listenText, parseListenAddress, type ListenAddress } from '../base/listen-address.ts';
import { storeOptions, unusedOptions } from './store-options.ts';

/** What `swarm manage` was told, read and checked. */
export interface ManageOptions {
  discovery: DiscoverySpec;
  store: StoreOptions;
  heartbeatMs: number;
  /** At least one, without duplicates. */
  hosts: readonly ListenAddress[];
  tls?: TlsFiles;
  strategy: StrategyName;
  filters: readonly FilterName[];
  clusterOpts: ClusterOpts;
  engineRefreshMinMs: number;
  engineRefreshMaxMs: number;
  engineFailureRetry: number;
  cors: boolean;
  refreshOnNodeFilter: boolean;
  /** `''`: none. */
  containerNameRefreshFilter: string;
  replication?: { advertise: string; ttlMs: number };
  /** Sentences for the log: allowed, but maybe not meant. */
  warnings: readonly string[];
}

/**
 * Reads the flags of `manage` in the order in which the original complained about them. Throws `invalid` with its words, and
 * `unavailable` where a TLS file cannot be read.
 */
export function manageOptions(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ManageOptions {
  const tls = tlsFiles(values);
  const engines = engineOptions(values);
  const discovery = discoveryArgument('manage', args, env);
  const heartbeatMs = heartbeatFlag(values);
  const store = storeOptions(values.list('discovery-opt'), env);
  const strategy = strategyFlag(values);
  const filters = filterFlags(values);
  const driver = values.text('cluster-driver');
  if (driver !== 'swarm') throw unsupportedCluster(driver);
  const cluster = clusterOpts(values.list('cluster-opt'));
  const hosts = hostFlags(values);
  const replication = replicationFlags(values, discovery);
  return {
    discovery,
    store,
    heartbeatMs,
    hosts,
    ...(tls ? { tls } : {}),
    strategy,
    filters,
    clusterOpts: cluster,
    ...engines,
    cors: values.bool('api-enable-cors'),
    refreshOnNodeFilter: values.bool('refresh-on-node-filter'),
    containerNameRefreshFilter: values.text('container-name-refresh-filter'),
    ...(replication ? { replication } : {}),
    warnings: [
      ...warningsOf(values, discovery, cluster),
      ...(tls ? tlsWarnings(tls, dialedNames(values.text('advertise'), hosts), Date.now()) : []),
    ],
  };
}

type EngineOptions = Pick<ManageOptions, 'engineRefreshMinMs' | 'engineRefreshMaxMs' | 'engineFailureRetry'>;

function engineOptions(values: FlagValues): EngineOptions {
  const engineRefreshMinMs = durationFlag(values, 'engine-refresh-min-interval');
  const engineRefreshMaxMs = durationFlag(values, 'engine-refresh-max-interval');
  const engineFailureRetry = Number(values.text('engine-failure-retry'));
  if (engineRefreshMinMs <= 0)
    throw new SwarmError('invalid', 'min refresh interval should be a positive number');
  if (engineRefreshMaxMs < engineRefreshMinMs)
    throw new SwarmError('invalid', 'max refresh interval cannot be less than min refresh interval');
  if (Number(values.text('engine-refresh-retry')) !== 3)
    throw new SwarmError('invalid', '--engine-refresh-retry is deprecated. Use --engine-failure-retry');
  if (engineFailureRetry <= 0) throw new SwarmError('invalid', 'invalid failure retry count');
  return { engineRefreshMinMs, engineRefreshMaxMs, engineFailureRetry };
}

function strategyFlag(values: FlagValues): StrategyName {
  const given = values.text('strategy');
  // The name it had before version 0.1; scripts still use it.
  const name = given === 'binpacking' ? 'binpack' : given;
  const known = STRATEGY_NAMES.find((one) => one === name);
  if (known === undefined)
    throw new SwarmError('invalid', `strategy not supported: "${given}" (${STRATEGY_NAMES.join(', ')})`);
  return known;
}

/** Giving any replaces the default set; the order is always the scheduler's, which the filters were made for. */
function filterFlags(values: FlagValues): readonly FilterName[] {
  const given = values.list('filter');
  if (given.length === 0) return DEFAULT_FILTERS;
  const unknown = given.find((name) => !FILTER_NAMES.some((filter) => filter === name));
  if (unknown !== undefined)
    throw new SwarmError('invalid', `filter not supported: "${unknown}" (${FILTER_NAMES.join(', ')})`);
  return FILTER_NAMES.filter((name) => given.includes(name));
}

function hostFlags(values: FlagValues): readonly ListenAddress[] {
  const given = values.list('host');
  const hosts = (given.length === 0 ? [DEFAULT_HOST] : given).map(parseListenAddress);
  const byText = new Map(hosts.map((host) => [`${host.kind} ${listenText(host)}`, host]));
  return [...byText.values()];
}

function replicationFlags(
  values: FlagValues,
  discovery: DiscoverySpec,
): { advertise: string; ttlMs: number } | undefined {
  const wanted = values.bool('replication');
  const advertise = values.text('advertise');
  if (wanted && advertise === '')
    throw new SwarmError('invalid', '--advertise address must be provided when using --leader-election');
  if (wanted && !isHostPort(advertise))
    throw new SwarmError('invalid', '--advertise should be of the form ip:port or hostname:port');
  const ttlMs = durationFlag(values, 'replication-ttl');
  if (ttlMs <= 0) throw new SwarmError('invalid', '--replication-ttl should be a positive number');
  if (!wanted) return undefined;
  if (!['consul', 'etcd', 'zk'].includes(discovery.scheme))
    throw new SwarmError(
      'invalid',
      'Leader election is only supported with consul, etcd and zookeeper discovery.',
    );
  return { advertise, ttlMs };
}

/** The names and addresses that others are told to dial: the advertised one, and every single one listened on. */
function dialedNames(advertise: string, hosts: readonly ListenAddress[]): string[] {
  const listened = hosts.flatMap((host) => (host.kind === 'tcp' ? host.host : []));
  const advertised = isHostPort(advertise) ? advertise.replace(/:\d+$/, '').replace(/^\[|\]$/g, '') : '';
  return [...new Set([advertised, ...listened])].filter((name) => !['', '0.0.0.0', '::'].includes(name));
}

function warningsOf(values: FlagValues, discovery: DiscoverySpec, cluster: ClusterOpts): string[] {
  const warnings = unusedOptions(values.list('discovery-opt'), discovery);
  if (cluster.overcommit < 0)
    warnings.push('a negative swarm.overcommit makes swarm use less than the engines offer');
  const advertise = values.text('advertise');
  if (advertise !== '' && !isHostPort(advertise))
    warnings.push('--advertise is not of the form ip:port or hostname:port, and is not used');
  return warnings;
}
