import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StoreOptions } from '../../src/discovery/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openEtcd } from './etcd-fixture.ts';
import { Follower } from './follower.ts';
import { makeCa, makePair, storeTls } from './openssl.ts';

type StoreTls = NonNullable<StoreOptions['tls']>;

const ADDRESS = '10.0.0.1:2375';
const BOTH = 'extendedKeyUsage=serverAuth,clientAuth';
const HERE = 'subjectAltName=IP:127.0.0.1';
const folder = mkdtempSync(join(tmpdir(), 'skep-etcd-tls-'));
const signal = AbortSignal.timeout(10 * 60_000);
const started: Etcd[] = [];
let ours: StoreTls;
let theirs: StoreTls;
/** Starts an etcd with a certificate of our CA. */
let secured: (name: string, extensions: readonly string[], days?: number) => Promise<Etcd>;

async function start(options: Parameters<typeof startEtcd>[0]): Promise<Etcd> {
  const etcd = await startEtcd(options);
  started.push(etcd);
  return etcd;
}

beforeAll(async () => {
  const client = { name: 'client', extensions: ['extendedKeyUsage=clientAuth'] };
  const stranger = { ...client, name: 'stranger' };
  const [ca, otherCa] = await Promise.all([makeCa(folder, 'ours'), makeCa(folder, 'theirs')]);
  ours = storeTls(ca, await makePair(folder, ca, client));
  theirs = storeTls(otherCa, await makePair(folder, otherCa, stranger));
  secured = async (name, extensions, days = 2) =>
    start({
      version: '3.5',
      tls: { ca: ca.cert, ...(await makePair(folder, ca, { name, extensions, days })) },
    });
}, 60_000);

afterAll(async () => {
  for (const etcd of started) await etcd[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('discovery and locks work over TLS', async () => {
  const etcd = await secured('works', [BOTH, HERE]);
  const discovery = await openEtcd(`${etcd.endpoint}/tls`, { store: { tls: ours } });
  await using follower = new Follower(discovery);
  await discovery.register(ADDRESS, { ttlMs: 60_000, signal });
  await follower.shows([ADDRESS]);
  const lock = discovery.lock?.({ name: 'leader', value: 'one', ttlMs: 60_000 });
  expect(await lock?.acquire({ signal })).toEqual({ kind: 'held' });
  expect(await lock?.renew({ signal })).toBe(true);
  await lock?.release({ signal });
  await discovery.close?.();
});

test('says what is wrong with TLS, in one line that names the endpoint', async () => {
  const plain = await start({});
  const secure = await secured('secure', [BOTH, HERE]);
  const expired = await secured('expired', [BOTH, HERE], -1);
  const misnamed = await secured('misnamed', [BOTH, 'subjectAltName=IP:10.9.9.9,DNS:etcd.example']);
  const serverOnly = await secured('server-only', ['extendedKeyUsage=serverAuth', HERE]);
  const files = 'kv.cacertfile, kv.certfile and kv.keyfile';
  const cases: [etcd: Etcd, tls: StoreTls | undefined, says: string][] = [
    [secure, undefined, `speaks TLS: give --discovery-opt ${files}`],
    [plain, ours, `speaks plain text: leave --discovery-opt ${files} out`],
    [secure, { ...ours, ca: theirs.ca }, 'has a certificate that the CA of kv.cacertfile did not sign'],
    [secure, { ...theirs, ca: ours.ca }, 'does not accept our certificate (kv.certfile)'],
    [expired, ours, 'has a certificate that has expired'],
    [misnamed, ours, 'has a certificate for other names than the address 127.0.0.1 (10.9.9.9, etcd.example)'],
    [serverOnly, ours, 'must be good for clients too'],
  ];
  for (const [etcd, tls, says] of cases) {
    const discovery = await openEtcd(etcd.endpoint, { store: tls ? { tls } : {} });
    const error: unknown = await discovery.list({ signal }).catch((reason: unknown) => reason);
    await discovery.close?.();
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(String(error)).toContain(`etcd at ${etcd.endpoint}`);
    expect(String(error)).toContain(says);
    expect(String(error)).not.toContain('\n');
  }
});

test('TLS files that cannot be used are refused when the discovery is opened', async () => {
  const garbage = Buffer.from('no PEM');
  const message: unknown = expect.stringContaining('kv.cacertfile, kv.certfile and kv.keyfile');
  for (const tls of [
    { ...ours, ca: garbage },
    { ...ours, cert: garbage },
    { ...ours, key: theirs.key },
  ])
    await expect(openEtcd('127.0.0.1', { store: { tls } })).rejects.toMatchObject({
      code: 'invalid',
      message,
    });
});
