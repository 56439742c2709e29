import { resolve } from 'node:path';
import { parseDuration } from '../base/duration.ts';
import { SwarmError } from '../base/errors.ts';
import type { FlagValues } from '../base/flags.ts';
import { isExposed, listenText, parseListenAddress, type ListenAddress } from '../base/listen-address.ts';
import type { StoreMember } from '../manager/index.ts';
import type { BalancerOptions } from '../balancer/index.ts';
import { tlsFiles, type TlsFiles } from '../certs/index.ts';
import { parseEngineAddress, type EngineAddress } from '../engine/index.ts';
import { parseEtcdAddress } from '../store/index.ts';
import { readEtcdTls, type EtcdPlace } from './etcd-states.ts';
import { DEFAULT_HOST } from './flags.ts';

/** What keeps the state. */
export type StoreChoice =
  { readonly kind: 'sqlite' | 'memory' } | { readonly kind: 'etcd'; readonly place: EtcdPlace };

/** What `swarmd` was told, read and checked. */
export interface DaemonOptions {
  /** At least one, without duplicates, or sockets of systemd. */
  readonly listen: readonly ListenAddress[];
  /** Listen on the sockets that systemd opened, too. */
  readonly activated: boolean;
  /** TCP without TLS may be reached from other machines. */
  readonly open: boolean;
  readonly tls?: TlsFiles;
  readonly engine: EngineAddress;
  readonly store: StoreChoice;
  /** Whether it may keep the state for managers elsewhere. */
  readonly storeMember: StoreMember;
  readonly stateDir: string;
  /** Instead of what the swarm's spec says. */
  readonly heartbeatNs?: number;
  readonly balancer: BalancerOptions['mode'];
}

const OWN_STORES = ['sqlite', 'memory'] as const;
const BALANCERS = ['auto', 'nftables', 'off'] as const;
const HEARTBEAT_MS = { min: 1_000, max: 60_000 };
const MS_NS = 1_000_000;

/** Reads the options. Throws `invalid`, and `unavailable` where a TLS file cannot be read. */
export function daemonOptions(values: FlagValues): DaemonOptions {
  const withoutTls = values.isSet('tls') && !values.bool('tls') && !values.bool('tlsverify');
  const tls = tlsFiles(values);
  const hosts = values.isSet('host') ? values.list('host') : [DEFAULT_HOST];
  const listen = listenAddresses(hosts);
  for (const address of listen) if (!tls && !withoutTls) refuseExposed(address);
  const engine = parseEngineAddress(values.text('engine'));
  refuseSelf(engine, listen);
  const store = storeOf(values);
  const heartbeatNs = heartbeatOf(values.text('dispatcher-heartbeat'));
  return {
    listen,
    activated: hosts.some(isActivation),
    open: withoutTls,
    ...(tls ? { tls } : {}),
    engine,
    store,
    storeMember: storeMemberOf(values, store),
    stateDir: stateDirOf(values),
    balancer: balancerOf(values.text('balancer')),
    ...(heartbeatNs === undefined ? {} : { heartbeatNs }),
  };
}

/** The folder of `--state-dir`. Throws `invalid`. */
export function stateDirOf(values: FlagValues): string {
  const text = values.text('state-dir');
  if (text === '') throw new SwarmError('invalid', '--state-dir names no folder');
  return resolve(text);
}

/** Without TLS whoever reaches the API is root on this host. Throws `invalid` for an address that others reach. */
export function refuseExposed(address: ListenAddress): void {
  if (!isExposed(address)) return;
  throw new SwarmError(
    'invalid',
    `${listenText(address)} can be reached by others, and without TLS they would be root on this host: ` +
      'use --tlsverify, listen on 127.0.0.1, or say --tls=false to do it all the same',
  );
}

function listenAddresses(hosts: readonly string[]): ListenAddress[] {
  const byText = new Map<string, ListenAddress>();
  for (const host of hosts) {
    if (isActivation(host)) continue;
    const address = parseListenAddress(host);
    byText.set(listenText(address), address);
  }
  return [...byText.values()];
}

function isActivation(host: string): boolean {
  return /^fd:\/\/\*?$/.test(host);
}

function refuseSelf(engine: EngineAddress, listen: readonly ListenAddress[]): void {
  if (engine.kind !== 'unix') return;
  const path = realRun(engine.path);
  if (listen.some((address) => address.kind === 'unix' && realRun(address.path) === path))
    throw new SwarmError('invalid', `--engine and --host are both ${engine.path}: move the engine's socket`);
}

/** /var/run is a link to /run everywhere. */
function realRun(path: string): string {
  return resolve(path).replace(/^\/var\/run\//, '/run/');
}

function storeOf(values: FlagValues): StoreChoice {
  const text = values.text('store');
  const files = {
    ca: values.text('store-cacert'),
    cert: values.text('store-cert'),
    key: values.text('store-key'),
  };
  if (text.startsWith('etcd://')) return { kind: 'etcd', place: etcdPlaceOf(text, files) };
  const kind = OWN_STORES.find((store) => store === text);
  if (!kind)
    throw new SwarmError(
      'invalid',
      `invalid --store ${JSON.stringify(text)}: expected ${OWN_STORES.join(', ')} or etcd://host[:port],…[/prefix]`,
    );
  if (Object.values(files).some((file) => file !== ''))
    throw new SwarmError('invalid', '--store-cacert, --store-cert and --store-key are for --store etcd://…');
  return { kind };
}

function storeMemberOf(values: FlagValues, { kind }: StoreChoice): StoreMember {
  if (!values.isSet('store-member')) return 'auto';
  if (!values.bool('store-member')) return 'never';
  if (kind !== 'sqlite')
    throw new SwarmError('invalid', '--store-member is for an etcd of the managers’ own, not with --store');
  return 'wanted';
}

function etcdPlaceOf(text: string, files: { ca: string; cert: string; key: string }): EtcdPlace {
  const address = parseEtcdAddress(text);
  if ((files.cert === '') !== (files.key === ''))
    throw new SwarmError('invalid', '--store-cert and --store-key come together');
  if (files.ca === '' && files.cert !== '')
    throw new SwarmError('invalid', '--store-cert needs --store-cacert: without TLS it would not be shown');
  return files.ca === '' ? { address } : { address, tls: readEtcdTls(files) };
}

function balancerOf(text: string): BalancerOptions['mode'] {
  const found = BALANCERS.find((mode) => mode === text);
  if (found) return found;
  throw new SwarmError(
    'invalid',
    `invalid --balancer ${JSON.stringify(text)}: expected ${BALANCERS.join(', ')}`,
  );
}

function heartbeatOf(text: string): number | undefined {
  if (text === '') return undefined;
  const ms = parseDuration(text);
  if (ms < HEARTBEAT_MS.min || ms > HEARTBEAT_MS.max)
    throw new SwarmError('invalid', `--dispatcher-heartbeat must be between 1s and 1m, not ${text}`);
  return Math.round(ms * MS_NS);
}
