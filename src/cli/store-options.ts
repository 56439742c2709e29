import { readFileSync } from 'node:fs';
import { SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import type { DiscoverySpec, Scheme, StoreOptions } from '../discovery/index.ts';
import { keyValues } from './key-values.ts';

/** The TLS files of a store come all three or not at all. */
const TLS_KEYS = ['kv.cacertfile', 'kv.certfile', 'kv.keyfile'];
const KEYS = ['kv.path', ...TLS_KEYS, 'etcd.api', 'token.url'];

/** What each form takes; zk:// refuses TLS files itself. */
const USED: Readonly<Record<Scheme, readonly string[]>> = {
  nodes: [],
  file: [],
  token: [...TLS_KEYS, 'token.url'],
  consul: ['kv.path', ...TLS_KEYS],
  etcd: ['kv.path', ...TLS_KEYS, 'etcd.api'],
  zk: ['kv.path', ...TLS_KEYS],
};

/**
 * What `--discovery-opt` and SWARM_TOKEN_URL say, files read. Throws `invalid` for a key that is unknown, lacks its
 * companions or has an impossible value, and `unavailable` naming the file that cannot be read.
 */
export function storeOptions(options: readonly string[], env: NodeJS.ProcessEnv): StoreOptions {
  const given = keyValues('discovery-opt', options);
  for (const key of given.keys())
    if (!KEYS.includes(key))
      throw new SwarmError('invalid', `unknown --discovery-opt "${key}": ${KEYS.join(', ')} are known`);
  const path = given.get('kv.path');
  const tls = tlsOf(given);
  const etcdApi = etcdApiOf(given.get('etcd.api'));
  const tokenUrl = given.get('token.url') ?? env['SWARM_TOKEN_URL'];
  return {
    ...(path === undefined ? {} : { path }),
    ...(tls ? { tls } : {}),
    ...(etcdApi ? { etcdApi } : {}),
    ...(tokenUrl ? { tokenUrl } : {}),
  };
}

/** A sentence for the log about `--discovery-opt` keys that this discovery does not take; none where it takes all. */
export function unusedOptions(options: readonly string[], { scheme, rest }: DiscoverySpec): string[] {
  // `token://host/path/TOKEN` names its own service.
  const used = USED[scheme].filter((key) => key !== 'token.url' || !rest.includes('/'));
  const unused = [...keyValues('discovery-opt', options).keys()].filter((key) => !used.includes(key));
  if (unused.length === 0) return [];
  return [`--discovery-opt ${unused.join(', ')}: not used by ${scheme}:// discovery`];
}

function tlsOf(given: ReadonlyMap<string, string>): StoreOptions['tls'] {
  const missing = TLS_KEYS.filter((key) => !given.has(key));
  if (missing.length === TLS_KEYS.length) return undefined;
  if (missing.length > 0)
    throw new SwarmError(
      'invalid',
      `--discovery-opt ${TLS_KEYS.join(', ')} go together, ${missing.join(' and ')} missing`,
    );
  const read = (key: string): Buffer => {
    const file = given.get(key) ?? '';
    try {
      return readFileSync(file);
    } catch (error) {
      throw new SwarmError('unavailable', `failed to read ${key} '${file}': ${fileReason(error)}`);
    }
  };
  return { ca: read('kv.cacertfile'), cert: read('kv.certfile'), key: read('kv.keyfile') };
}

function etcdApiOf(text: string | undefined): 2 | 3 | undefined {
  if (text === undefined) return undefined;
  if (text === '2') return 2;
  if (text === '3') return 3;
  throw new SwarmError('invalid', `--discovery-opt etcd.api is 2 or 3, not ${JSON.stringify(text)}`);
}
