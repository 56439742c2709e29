import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedPackages } from '../hosts/debian.ts';
import { run } from '../hosts/index.ts';
import { startStoreServer, type Place, type PlaceOptions, type StoreServer } from './store-server.ts';

export interface ConsulOptions extends PlaceOptions {
  /** Files; clients need a certificate of `ca`. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** One of a cluster whose others never come: it answers, but has no leader. */
  readonly leaderless?: boolean;
}

/** A real Consul, one server. */
export interface Consul extends StoreServer {
  /** http://ip:port of its API, plain also where `endpoint` is not: for the test's own questions. */
  readonly plainAddress: string;
  /** The `consul` command at it; gives its output. */
  consul(...args: string[]): Promise<string>;
}

/**
 * The path of Consul 1.8, fetched where it is not there yet. Debian 11 is the last release that has it; where that
 * cannot be had this rejects and says so.
 */
export async function ensureConsul(): Promise<string> {
  try {
    return join(await unpackedPackages('bullseye', ['consul']), 'usr/bin/consul');
  } catch (error) {
    throw new Error(`Consul (package consul of Debian 11, bullseye) cannot be had: ${String(error)}`, {
      cause: error,
    });
  }
}

/** Starts a Consul on free ports and waits until it serves. */
export async function startConsul(options: ConsulOptions = {}): Promise<Consul> {
  const command = await ensureConsul();
  const { store, place } = await startStoreServer({
    name: 'consul',
    usualPort: 8500,
    morePorts: 4,
    options,
    server: (at) => {
      const settings = join(at.folder, 'settings.json');
      writeFileSync(settings, JSON.stringify(serverSettings(options, at)));
      const plain = plainAddressOf(options, at);
      return {
        command,
        args: ['agent', `-config-file=${settings}`],
        ready: () => (options.leaderless ? answers(plain) : serves(plain)),
      };
    },
  });
  const plainAddress = plainAddressOf(options, place);
  return {
    ...store,
    plainAddress,
    consul: (...args) => run(command, args, { env: { CONSUL_HTTP_ADDR: plainAddress } }),
  };
}

function plainPortOf({ tls }: ConsulOptions, { port, more }: Place): number {
  return tls ? (more[3] ?? 0) : port;
}

function plainAddressOf(options: ConsulOptions, place: Place): string {
  return `http://${place.ip}:${plainPortOf(options, place)}`;
}

function serverSettings(options: ConsulOptions, place: Place): object {
  const { tls, leaderless } = options;
  const { data, ip, port, more } = place;
  const [server, lan, wan] = more;
  return {
    server: true,
    bootstrap_expect: leaderless ? 3 : 1,
    node_name: 'one',
    data_dir: data,
    bind_addr: ip,
    client_addr: ip,
    ports: {
      ...{ http: plainPortOf(options, place), https: tls ? port : -1, dns: -1, grpc: -1 },
      ...{ server, serf_lan: lan, serf_wan: wan },
    },
    // An election takes one second instead of five; who has no leader says so after one instead of seven.
    performance: { raft_multiplier: 1, ...(leaderless ? { rpc_hold_timeout: '1s' } : {}) },
    disable_update_check: true,
    limits: { http_max_conns_per_client: 2000 },
    ...(tls ? { ca_file: tls.ca, cert_file: tls.cert, key_file: tls.key, verify_incoming_https: true } : {}),
  };
}

/** It has a leader, and knows itself: without that it makes no session. */
async function serves(address: string): Promise<boolean> {
  const answer = await fetch(`${address}/v1/catalog/node/one`, { signal: AbortSignal.timeout(2000) });
  return answer.ok && (await answer.text()) !== 'null';
}

async function answers(address: string): Promise<boolean> {
  return (await fetch(`${address}/v1/status/leader`, { signal: AbortSignal.timeout(2000) })).ok;
}
