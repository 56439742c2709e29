import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { pause } from '../../src/base/async.ts';
import type { Clock } from '../../src/base/clock.ts';
import { openEtcdStore } from '../../src/store/index.ts';
import { EtcdError } from '../../src/store/etcd/etcd-error.ts';
import { startCutProxy } from '../chaos/cut-proxy.ts';
import { until } from '../hosts/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openManager, sharedPlace, type SharedPlace, type TestManager } from './etcd-place.ts';
import { config } from './objects.ts';

const SOON_MS = 30_000;
/** Waited for, and long enough for a leader on a busy machine to keep its lead. */
const TTL_MS = 5_000;
let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);

afterAll(() => etcd[Symbol.asyncDispose]());

const write = (to: TestManager, name: string): Promise<unknown> =>
  to.store.update((tx) => tx.create('config', config(name)));

const names = ({ store }: TestManager): string[] =>
  [...store.view.all('config')].map((one) => one.spec.annotations.name).sort();

/** Waits until it has these, and looks whether whoever opens the state has the same. */
async function expectKept(place: SharedPlace, manager: TestManager, expected: string[]): Promise<void> {
  await until(`${expected.join(', ')} are there`, SOON_MS, () =>
    names(manager).join() === expected.join() ? true : undefined,
  );
  expect(names(await openManager(place, { name: 'reader' }))).toEqual(expected);
}

describe('the lead', () => {
  it('passes at once when it is given up', async () => {
    const place = sharedPlace(etcd);
    const [one, two] = [await openManager(place), await openManager(place, { name: 'two' })];
    const term = await one.campaign();
    const second = two.campaign();
    await until('it is known who leads', SOON_MS, () => two.lead.leader);
    expect(two.lead.leader).toEqual({ id: 'one', addr: 'one:2377' });
    expect(one.lead.leader).toEqual({ id: 'one', addr: 'one:2377' });
    await write(one, 'a');
    await one.resign();
    expect(term.signal.aborted).toBe(true);
    await second; // within the test's time, far from the lease's
    await write(two, 'b');
    await expect(write(one, 'c')).rejects.toMatchObject({ code: 'no-manager' });
    await expectKept(place, one, ['a', 'b']);
  });

  it('passes when it is given back, by one that goes on taking part', async () => {
    const place = sharedPlace(etcd);
    const one = await openManager(place, { ttlMs: TTL_MS });
    const two = await openManager(place, { name: 'two', ttlMs: TTL_MS });
    const term = await one.campaign();
    const second = two.campaign();
    await until('it is known who leads', SOON_MS, () => two.lead.leader);
    one.lead.giveBack();
    expect(term.leads()).toBe(false);
    await second;
    await until('the first one follows', SOON_MS, () => (one.lead.leader?.id === 'two' ? true : undefined));
    await write(two, 'by the other');
    await expectKept(place, one, ['by the other']);
  });

  it('passes when the leader is cut off, who has stopped before that', async () => {
    const place = sharedPlace(etcd);
    const proxy = await startCutProxy(etcd.endpoint);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const one = await openManager({ ...place, endpoint: proxy.address }, { ttlMs: TTL_MS });
    const two = await openManager(place, { name: 'two', ttlMs: TTL_MS });
    const term = await one.campaign();
    await write(one, 'before');
    const second = two.campaign();
    proxy.cut();
    const meanwhile = write(one, 'meanwhile').catch((error: unknown) => error);
    const won = second.then(() => expect(term.leads()).toBe(false));
    await won;
    expect(await meanwhile).toMatchObject({
      code: 'no-manager',
      message: expect.stringContaining('it is not known whether the last change was written') as string,
    });
    await write(two, 'after');
    proxy.heal();
    await expectKept(place, one, ['after', 'before']);
  });

  it('cannot be used by a leader that slept while it passed', async () => {
    const place = sharedPlace(etcd);
    const sleeper = new SleepingClock();
    const one = await openManager(place, { ttlMs: TTL_MS, client: { clock: sleeper } });
    const two = await openManager(place, { name: 'two', ttlMs: TTL_MS });
    const term = await one.campaign();
    await write(one, 'before');
    sleeper.sleep();
    await two.campaign();
    await write(two, 'after');
    expect(term.leads()).toBe(true); // as far as it knows
    await expect(write(one, 'too late')).rejects.toMatchObject({ code: 'no-manager' });
    expect(term.leads()).toBe(false);
    sleeper.wake();
    await expectKept(place, one, ['after', 'before']);
  });

  it('is of no use when somebody removed the key, or another writes under it', async () => {
    const place = sharedPlace(etcd);
    const one = await openManager(place, { ttlMs: TTL_MS });
    const term = await one.campaign();
    const twin = await openEtcdStore(one.client, { ...place, nowMs: Date.now, onFault: console.error });
    onTestFinished(() => twin.close());
    await twin.lead(term);
    await twin.update((tx) => tx.create('config', config('of the twin')));
    await expect(write(one, 'second')).rejects.toMatchObject({ code: 'no-manager' });
    expect(term.signal.aborted).toBe(true);
    await until('it leads anew', SOON_MS, () => (one.store.isWriter ? true : undefined));
    await write(one, 'third');
    await etcd.etcdctl('del', `${place.prefix}/${place.clusterId}/leader`);
    await expect(write(one, 'fourth')).rejects.toMatchObject({ code: 'no-manager' });
    await expectKept(place, one, ['of the twin', 'third']);
  });
});

describe('a commit that got no answer', () => {
  const lost = (): EtcdError => new EtcdError('the answer was lost', 'unknown');

  it('is found to be done, and is not done twice', async () => {
    const place = sharedPlace(etcd);
    const one = await openManager(place);
    await one.campaign();
    let sent = 0;
    one.client.onTxn = async (send) => {
      const answer = await send();
      if (++sent === 1) throw lost();
      return answer;
    };
    await write(one, 'a');
    expect(sent).toBe(2);
    await write(one, 'b');
    expect(one.store.view.revision).toBe(2);
    await expectKept(place, one, ['a', 'b']);
  });

  it('is made to have failed where it has not arrived, and is written by another attempt', async () => {
    const place = sharedPlace(etcd);
    const [one, two] = [await openManager(place), await openManager(place, { name: 'two' })];
    await one.campaign();
    let sent = 0;
    let late: (() => Promise<{ succeeded: boolean }>) | undefined;
    one.client.onTxn = async (send) => {
      if (++sent > 1) return send();
      late = send;
      throw lost();
    };
    await write(one, 'a');
    expect(sent).toBe(3);
    expect((await late?.())?.succeeded).toBe(false); // it arrives at last, and does nothing
    await write(one, 'b');
    expect(one.store.view.revision).toBe(2);
    await expectKept(place, one, ['a', 'b']);
    await expectKept(place, two, ['a', 'b']);
    expect(two.troubles).toEqual([]);
  });

  it('is searched for until the lead ends, however often answers are lost', async () => {
    const place = sharedPlace(etcd);
    const one = await openManager(place);
    await one.campaign();
    let sent = 0;
    one.client.onTxn = async (send) => {
      sent++;
      // The commit and two searches for it get through, their answers do not.
      const answer = await send();
      if (sent <= 3) throw lost();
      return answer;
    };
    await write(one, 'a');
    await write(one, 'b');
    await expectKept(place, one, ['a', 'b']);
    one.client.onTxn = () => Promise.reject(lost());
    const nobodyKnows = write(one, 'c');
    nobodyKnows.catch(() => undefined);
    await one.resign();
    await expect(nobodyKnows).rejects.toMatchObject({ code: 'no-manager' });
  });

  it('that etcd refuses leaves the lead, and later ones, as they were', async () => {
    const one = await openManager(sharedPlace(etcd));
    const term = await one.campaign();
    one.client.onTxn = () =>
      Promise.reject(new EtcdError('etcd at x: mvcc: database space exceeded', 'refused'));
    await expect(write(one, 'a')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the state could not be written: etcd at x: mvcc: database space exceeded',
    });
    one.client.onTxn = (send) => send();
    await write(one, 'b');
    expect([term.leads(), names(one)]).toEqual([true, ['b']]);
  });
});

it('loses nothing acknowledged when etcd is killed over and over', async () => {
  const own = await startEtcd();
  onTestFinished(() => own[Symbol.asyncDispose]());
  const place = sharedPlace(own);
  const [one, two] = [await openManager(place), await openManager(place, { name: 'two' })];
  await one.campaign();
  const acknowledged: string[] = [];
  let over = false;
  let attempts = 0;
  const writing = (async () => {
    while (!over) {
      const name = `config-${++attempts}`;
      await write(one, name).then(
        () => acknowledged.push(name),
        () => undefined,
      );
    }
  })();
  for (let round = 1; round <= 3; round++) {
    const wanted = acknowledged.length + 10;
    await until('some are written', SOON_MS, () => (acknowledged.length >= wanted ? true : undefined));
    await own.kill();
    await own.start();
  }
  const wanted = acknowledged.length + 1;
  await until('one more is written', SOON_MS, () => (acknowledged.length >= wanted ? true : undefined));
  over = true;
  await writing;
  const reader = await openManager(place, { name: 'reader' });
  expect(names(reader)).toEqual(names(one));
  expect(names(reader)).toEqual(expect.arrayContaining(acknowledged));
  await until('the other one has followed', SOON_MS, () =>
    two.store.view.revision === one.store.view.revision ? true : undefined,
  );
  expect(names(two)).toEqual(names(one));
});

/** Time that stands still for a process that was stopped. */
class SleepingClock implements Clock {
  #asleepMs: number | undefined;
  #woken = Promise.withResolvers<void>();

  nowMs(): number {
    return this.#asleepMs ?? performance.now();
  }

  async pause(ms: number, signal: AbortSignal): Promise<void> {
    await pause(ms, signal);
    if (this.#asleepMs !== undefined && !signal.aborted) await this.#woken.promise;
  }

  sleep(): void {
    this.#asleepMs = performance.now();
  }

  wake(): void {
    this.#asleepMs = undefined;
    this.#woken.resolve();
  }
}
