import { SwarmError } from '../../base/errors.ts';
import { readRegistrations } from '../held-list.ts';
import type { OpenOptions } from '../open.ts';
import { lockKey, nodesFolder, storeAddress } from '../store-address.ts';
import { watchStore } from '../store-watch.ts';
import type { Discovery } from '../types.ts';
import { Deadlines } from './deadlines.ts';
import { followNodes, listNodes } from './listing.ts';
import { ZkLock } from './lock.ts';
import { registerNode } from './registrations.ts';
import { Session } from './session.ts';

const ZK_PORT = 2181;
/** Of a session that owns nothing: after two thirds of it a server that says nothing counts as gone. */
const READER_MS = 6_000;

/**
 * ZooKeeper: `ip1,ip2[:port]/prefix`. Nothing is dialled before it is needed. Throws `unsupported` for TLS, which the
 * original does not have here either.
 */
export function zkDiscovery(rest: string, options: OpenOptions): Discovery {
  if (options.store?.tls)
    throw new SwarmError(
      'unsupported',
      '--discovery-opt kv.cacertfile, kv.certfile, kv.keyfile: TLS is not supported by zk://',
    );
  const { endpoints, prefix } = storeAddress(rest, ZK_PORT);
  const folder = `/${nodesFolder(prefix, options.store?.path)}`;
  const reader = new Session({ endpoints, timeoutMs: READER_MS, keep: false });
  const deadlines = new Deadlines();
  const closed = new AbortController();
  const owners = new Map<number, Session>();
  const ownerFor = (ttlMs: number): Session => {
    const timeoutMs = Math.min(Math.max(1, Math.floor(ttlMs)), MAX_SESSION_MS);
    const owner = owners.get(timeoutMs) ?? new Session({ endpoints, timeoutMs, keep: true });
    owners.set(timeoutMs, owner);
    return owner;
  };
  return {
    scheme: 'zk',
    list: async ({ signal }) =>
      readRegistrations(await listNodes(reader, folder, signal)).addresses.map((address) => ({ address })),
    watch: ({ signal }) =>
      watchStore({
        follow: (inner) => followNodes(reader, folder, inner),
        signal: AbortSignal.any([signal, closed.signal]),
        ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
      }),
    register: (address, { ttlMs, signal }) =>
      registerNode({ session: ownerFor(ttlMs), deadlines, folder, address, ttlMs, signal }),
    lock: (lock) =>
      new ZkLock(
        {
          session: ownerFor(lock.ttlMs),
          watching: reader,
          deadlines,
          path: `/${lockKey(prefix, lock.name)}`,
        },
        lock,
      ),
    close: async () => {
      closed.abort();
      deadlines.clear();
      reader.close(true);
      for (const owner of owners.values()) owner.close(false);
    },
  };
}

/** What the wire can say: a signed 32-bit number. */
const MAX_SESSION_MS = 0x7fff_ffff;
