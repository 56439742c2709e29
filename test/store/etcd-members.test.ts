import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../hosts/index.ts';
import { startMembers, type Member } from './etcd-members.ts';
import { openManager, sharedPlace, testClient, type SharedPlace, type TestManager } from './etcd-place.ts';
import { config, contents } from './objects.ts';

const SOON_MS = 30_000;
let etcd: Awaited<ReturnType<typeof startMembers>>;
let place: SharedPlace;
let [one, two]: TestManager[] = [];

beforeAll(async () => {
  etcd = await startMembers();
}, 60_000);

afterAll(() => etcd[Symbol.asyncDispose]());

const endpoints = (from = 0): string[] =>
  [...etcd.members.slice(from), ...etcd.members.slice(0, from)].map(({ endpoint }) => endpoint);

/** The member that leads the others. */
async function leading(): Promise<Member> {
  return until('a member leads', SOON_MS, async () => {
    for (const member of etcd.members) {
      const client = testClient({ ...place, endpoint: member.endpoint });
      const { leader, header } = await client.status({
        signal: AbortSignal.timeout(2_000),
        deadlineMs: 1_000,
      });
      if (leader !== 0n && leader === header?.memberId) return member;
    }
    return undefined;
  });
}

/** Writes until something is written; whatever is refused is tried again. */
async function writeSoon(manager: TestManager, name: string): Promise<void> {
  await until(`${name} is written`, SOON_MS, async () => {
    await manager.store.update((tx) => {
      if (!tx.get('config', `config-${name}`)) tx.create('config', config(name));
    });
    return true;
  });
}

async function expectSame(): Promise<void> {
  const [a, b] = [one ?? expect.fail(), two ?? expect.fail()];
  await until('both have the same', SOON_MS, () =>
    a.store.view.revision === b.store.view.revision ? true : undefined,
  );
  expect(contents(b.store.view)).toEqual(contents(a.store.view));
}

describe('an etcd of three members', () => {
  it(
    'is written to when the member that leads is killed, freezes, or comes back',
    { timeout: 120_000 },
    async () => {
      place = sharedPlace({ endpoint: endpoints()[0] ?? '' });
      one = await openManager(place, { ttlMs: 4_000, client: { endpoints: endpoints() } });
      two = await openManager(place, { name: 'two', client: { endpoints: endpoints(1) } });
      await one.campaign();
      await writeSoon(one, 'before');
      const first = await leading();
      await first.process.kill();
      await writeSoon(one, 'without the first');
      await expectSame();
      await first.process.start();
      const second = await leading();
      second.process.pause();
      await writeSoon(one, 'without the second');
      second.process.resume();
      await expectSame();
      const others = etcd.members.filter((member) => member !== first);
      for (const { process } of others) process.pause();
      const refused = one.store.update((tx) => tx.create('config', config('without most')));
      await expect(refused).rejects.toMatchObject({
        code: expect.stringMatching(/no-manager|unavailable/) as string,
      });
      expect(one.store.view.byName('config', 'before')).toBeDefined();
      for (const { process } of others) process.resume();
      await writeSoon(one, 'at last');
      await expectSame();
    },
  );
});
