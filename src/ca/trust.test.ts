import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { FakeTimes } from '../../test/simulation/index.ts';
import { fakeContext, fakeStore, nodeFixture } from '../../test/simulation/index.ts';
import type { Cluster, NetworkKey } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import type { SwarmCredentials } from '../swarmkit/index.ts';
import {
  createCluster,
  createRootCa,
  issueManagerCertificate,
  KEY_ROTATION_MS,
  parseJoinToken,
  removeNode,
  rotateJoinToken,
  runKeyRotation,
  runManagerRenewal,
  validityOf,
  type ClusterOptions,
} from './index.ts';
import { newJoinToken, sameSecret } from './join-token.ts';
import { renewalTime } from './manager-renewal.ts';
import { makeNetworkKeys, rotateNetworkKeys } from './network-keys.ts';

const DAY_MS = 24 * 3600_000;
const NOW_MS = Date.UTC(2024, 0, 1);

describe('the root', () => {
  test('is SwarmKit’s in all that agents look at', async () => {
    const { certPem, keyPem } = await createRootCa(NOW_MS);
    const root = new X509Certificate(certPem);
    expect(root.subject).toBe('CN=swarm-ca');
    expect(root.issuer).toBe('CN=swarm-ca');
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(root.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(root.validToDate.getUTCFullYear()).toBe(2044);
    expect(keyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(certPem).toMatch(/^-----BEGIN CERTIFICATE-----\n[^]+\n-----END CERTIFICATE-----\n$/);
  });

  test('cuts a node’s certificate short at its own end', async () => {
    const cluster = await createCluster({ spec: { nodeCertExpiryNs: 30 * 365 * DAY_MS * 1e6 } }, NOW_MS);
    const { certPem } = await issueManagerCertificate(cluster, 'n', NOW_MS);
    expect(validityOf(certPem).untilMs).toBe(validityOf(cluster.rootCa.certPem).untilMs);
  });
});

describe('a token', () => {
  test('has the digest of the very bytes of the root, and a secret of its own', async () => {
    const { certPem } = await createRootCa(NOW_MS);
    const [one, other] = [newJoinToken(certPem), newJoinToken(certPem)].map(parseJoinToken);
    const digest = createHash('sha256').update(certPem).digest('hex');
    expect(one?.digest).toBe(BigInt(`0x${digest}`).toString(36).padStart(50, '0'));
    expect(other?.digest).toBe(one?.digest);
    expect(other?.secret).not.toBe(one?.secret);
  });

  test.each([
    '',
    'SWMTKN-1-a-b',
    `SWMTKN-2-${'a'.repeat(50)}-${'b'.repeat(25)}`,
    `SWMTKN-1-${'A'.repeat(50)}-${'b'.repeat(25)}`,
  ])('is not %j', (text) => expect(() => parseJoinToken(text)).toThrow('invalid join token'));

  test('of one role changes alone', async () => {
    const fresh = await createCluster({}, NOW_MS);
    const cluster: Cluster = { ...fresh, meta: { version: 1, createdAtMs: 0, updatedAtMs: 0 } };
    const { joinTokens } = rotateJoinToken(cluster, 'manager').rootCa;
    expect(joinTokens.worker).toBe(fresh.rootCa.joinTokens.worker);
    expect(joinTokens.manager).not.toBe(fresh.rootCa.joinTokens.manager);
  });

  test('is compared whole', () => {
    expect(sameSecret('abc', 'abc')).toBe(true);
    expect(sameSecret('abc', 'abcd')).toBe(false);
    expect(sameSecret('', '')).toBe(true);
  });
});

test('a new swarm is as Docker makes it, but for the heartbeat', async () => {
  const cluster = await createCluster({ subnetSize: 26, spec: { taskHistoryLimit: 2 } }, NOW_MS);
  expect(cluster).toMatchObject({
    spec: { annotations: { name: 'default' }, taskHistoryLimit: 2, heartbeatPeriodNs: 1.5e9 },
    defaultAddressPool: ['10.0.0.0/8'],
    subnetSize: 26,
    dataPathPort: 4789,
  });
  expect(cluster.spec.nodeCertExpiryNs).toBe(90 * DAY_MS * 1e6);
});

describe('network keys', () => {
  const gossip = (keys: readonly NetworkKey[]) =>
    keys.filter(({ subsystem }) => subsystem === 'networking:gossip');

  test('are three of each, and lose the oldest at a rotation', () => {
    let count = 0;
    const random = (size: number): Uint8Array => new Uint8Array(size).fill(++count);
    const first = makeNetworkKeys(random);
    expect(first.map(({ lamportTime }) => lamportTime)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(new Set(first.map(({ key }) => key)).size).toBe(6);
    expect(Buffer.from(first[0]?.key ?? '', 'base64')).toHaveLength(16);
    const second = rotateNetworkKeys(first, random);
    expect(gossip(second).map(({ lamportTime }) => lamportTime)).toEqual([2, 3, 4]);
    expect(gossip(second).slice(0, 2)).toEqual(gossip(first).slice(1));
    expect(second).toHaveLength(6);
  });

  test('change every twelve hours, however often the manager starts', async () => {
    const { context, times, end } = await startLoop(runKeyRotation);
    const newest = () => Math.max(...keysOf(context).map(({ lamportTime }) => lamportTime));
    await times.advance(KEY_ROTATION_MS - 60_000);
    expect(newest()).toBe(3);
    await end();
    const again = await startLoop(runKeyRotation, context, times);
    await times.advance(30_000);
    expect(newest()).toBe(3);
    await times.advance(20 * 60_000);
    expect(newest()).toBe(4);
    await times.advance(KEY_ROTATION_MS);
    expect(newest()).toBe(5);
    await again.end();
    expect(times.waiting).toBe(0);
  });

  const keysOf = ({ store }: LoopContext): readonly NetworkKey[] => store.view.cluster()?.networkKeys ?? [];
});

describe('a manager’s own certificate', () => {
  test('is renewed between half and four fifths of its life', async () => {
    const cluster = await createCluster({}, NOW_MS);
    const { certPem } = await issueManagerCertificate(cluster, 'n', NOW_MS);
    const { fromMs, untilMs } = validityOf(certPem);
    const share = (at: number): number => (renewalTime(certPem, at) - fromMs) / (untilMs - fromMs);
    expect(share(0)).toBeCloseTo(0.5);
    expect(share(1)).toBeCloseTo(0.8);
  });

  test('is renewed in time and when the root changes, tried again when it can’t be kept, and only for a manager', async () => {
    const seen: SwarmCredentials[] = [];
    let fails = 1;
    const { store, times, context } = await storeWithCluster({
      spec: { nodeCertExpiryNs: 10 * DAY_MS * 1e6 },
    });
    await store.update((tx) => tx.create('node', { ...nodeFixture({ id: 'n' }), role: 'manager' }));
    const cluster = (): Cluster => store.view.cluster() ?? expect.fail('no cluster');
    const current = await issueManagerCertificate(cluster(), 'n', times.wallMs());
    const onRenewed = async (credentials: SwarmCredentials): Promise<void> => {
      if (fails-- > 0) throw new Error('the disk is full');
      seen.push(credentials);
    };
    const renewal = { nodeId: 'n', current, onRenewed, random: () => 0 };
    const { end } = await startLoop(
      (loop, signal) => runManagerRenewal(loop, renewal, signal),
      context,
      times,
    );
    await times.advance(4.5 * DAY_MS);
    expect(seen).toHaveLength(0);
    await times.advance(DAY_MS);
    await settledUntil(times, () => seen.length === 1);
    expect(context.lines.join('')).toContain('the disk is full');
    expect(validityOf(seen[0]?.certPem ?? '').untilMs).toBeGreaterThan(times.wallMs() + 8 * DAY_MS);

    const root = await createRootCa(times.wallMs());
    await store.update((tx) =>
      tx.update('cluster', { ...cluster(), rootCa: { ...cluster().rootCa, ...root } }),
    );
    await settledUntil(times, () => seen.length === 2);
    expect(seen[1]?.rootPem).toBe(root.certPem);

    await store.update((tx) => tx.update('node', { ...nodeOf(context), role: 'worker' }));
    await times.advance(20 * DAY_MS);
    expect(seen).toHaveLength(2);
    await end();
    expect(times.waiting).toBe(0);
  });

  const nodeOf = ({ store }: LoopContext) => store.view.get('node', 'n') ?? expect.fail('no node');
});

describe('removing a node', () => {
  test('remembers it as long as its certificate could be shown, a thousand at most', async () => {
    const { store, times } = await storeWithCluster();
    const removed = () => Object.keys(store.view.cluster()?.removedNodes ?? {});
    const remove = async (id: string): Promise<void> => {
      await store.update((tx) => tx.create('node', nodeFixture({ id })));
      await store.update((tx) => expect(removeNode(tx, id, times.wallMs())).toBe(true));
    };
    await store.update((tx) => expect(removeNode(tx, 'nobody', 0)).toBe(false));
    for (const id of ['__proto__', 'first']) await remove(id);
    expect(removed()).toEqual(['__proto__', 'first']);
    expect(store.view.get('node', 'first')).toBeUndefined();
    await times.advance(98 * DAY_MS);
    await remove('second');
    expect(removed()).toEqual(['second']);
    for (let at = 0; at < 1_000; at++) await remove(`n${at}`);
    expect(removed()).toHaveLength(1_000);
    expect(removed()).not.toContain('second');
  });
});

async function storeWithCluster(options: ClusterOptions = {}) {
  const { store, times } = await fakeStore();
  const cluster = await createCluster(options, times.wallMs());
  await store.update((tx) => tx.create('cluster', cluster));
  return { store, times, context: fakeContext(store, times) };
}

type Loop = (context: LoopContext, signal: AbortSignal) => Promise<void>;

/** A loop that runs until `end`, on what is given or on a swarm of its own. */
async function startLoop(loop: Loop, context?: LoopContext, times?: FakeTimes) {
  const fresh = context && times ? { context, times } : await storeWithCluster();
  const ending = new AbortController();
  const running = loop(fresh.context, ending.signal);
  await fresh.times.settle();
  const end = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  return { ...fresh, end };
}

/** What is signed takes real time; then a retry may take some of the other. */
async function settledUntil(times: FakeTimes, holds: () => boolean): Promise<void> {
  await expect
    .poll(async () => {
      await times.advance(60_000);
      return holds();
    })
    .toBe(true);
}
