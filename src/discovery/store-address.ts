/** What follows `etcd://`, `consul://` or `zk://`, read. */
export interface StoreAddress {
  /** `host:port` or `[v6]:port`, in the order they are tried. */
  endpoints: readonly string[];
  /** Without slashes at its ends; empty where there is none. */
  prefix: string;
}

/** Reads `ip1,ip2[:port]/prefix`, which `parseDiscovery` has checked. */
export function storeAddress(rest: string, defaultPort: number): StoreAddress {
  const slash = rest.indexOf('/');
  const hosts = (slash === -1 ? rest : rest.slice(0, slash)).split(',');
  const complete = (host: string): string =>
    /:\d+$/.test(withoutV6(host)) ? host : `${host}:${defaultPort}`;
  return { endpoints: hosts.map(complete), prefix: joinKey(slash === -1 ? '' : rest.slice(slash)) };
}

/** The folder of the registrations: each engine has `<folder>/<address>` there, with its address as the value. */
export function nodesFolder(prefix: string, path = ''): string {
  return joinKey(prefix, joinKey(path) || 'docker/swarm/nodes');
}

/** The key of a lock. `kv.path` does not move locks: managers of one prefix share them. */
export function lockKey(prefix: string, name: string): string {
  return joinKey(prefix, 'docker/swarm', name);
}

/** Joins with single slashes and none at the ends, as the original's store library does. */
function joinKey(...parts: readonly string[]): string {
  return parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/');
}

function withoutV6(host: string): string {
  return host.slice(host.indexOf(']') + 1);
}
