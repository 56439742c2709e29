import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdClient, Presence, type Present } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';

const PATIENCE_MS = 30_000;

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]();
});

/** A manager that shows itself until `leave`. */
function manager(nodeId: string, prefix: string) {
  const client = new EtcdClient({ endpoints: [etcd.endpoint] });
  const self: Present = { nodeId, addr: `10.0.0.1:2377`, version: '1', layout: 1 };
  const presence = new Presence(client, { prefix, clusterId: 'swarm', self, ttlMs: 2_000 });
  const stop = new AbortController();
  const running = presence.run({ signal: stop.signal });
  return {
    presence,
    async leave(): Promise<void> {
      stop.abort();
      await running;
      client.close();
    },
  };
}

test('managers see each other, and who leaves is gone', async () => {
  const [one, other] = [manager('one', '/seen'), manager('other', '/seen')];
  try {
    for (const { presence } of [one, other])
      await until('both are there', PATIENCE_MS, () =>
        Promise.resolve((presence.has('one') && presence.has('other')) || undefined),
      );
    expect(one.presence.others).toEqual([
      { nodeId: 'other', addr: '10.0.0.1:2377', version: '1', layout: 1 },
    ]);
    await other.leave();
    await until('the other is gone', PATIENCE_MS, () =>
      Promise.resolve(one.presence.has('other') ? undefined : true),
    );
  } finally {
    await Promise.all([one.leave(), other.leave()]);
  }
});

test('who can not reach the store knows of itself alone, and of the others again when it can', async () => {
  const [one, other] = [manager('one', '/cut'), manager('other', '/cut')];
  const sees = (wanted: boolean): Promise<true> =>
    until<true>(`it ${wanted ? 'sees' : 'misses'} the other`, PATIENCE_MS, () =>
      Promise.resolve(one.presence.has('other') === wanted || undefined),
    );
  try {
    await sees(true);
    etcd.pause();
    await sees(false);
    expect(one.presence.has('one')).toBe(true);
    etcd.resume();
    await sees(true);
  } finally {
    etcd.resume();
    await Promise.all([one.leave(), other.leave()]);
  }
});

test('what somebody wrote there without sense does not end it', async () => {
  const one = manager('one', '/odd');
  try {
    await etcd.etcdctl('put', '/odd/swarm/managers/odd', 'no JSON');
    await etcd.etcdctl('put', '/odd/swarm/managers/__proto__', '{"addr":7}');
    await until('it is somebody', PATIENCE_MS, () => Promise.resolve(one.presence.has('odd') || undefined));
    expect(one.presence.others.map(({ nodeId }) => nodeId).sort()).toEqual(['__proto__', 'odd']);
  } finally {
    await one.leave();
  }
});
