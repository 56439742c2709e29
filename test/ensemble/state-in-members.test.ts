import { expect, it, onTestFinished } from 'vitest';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { clientUrl, endpointOf, runPromotion } from '../../src/ensemble/index.ts';
import { Move, movedTo, openStore, sqliteBackend } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { openManager, type SharedPlace, type TestManager } from '../store/etcd-place.ts';
import { config, contents, serviceWithTasks } from '../store/objects.ts';
import { testFolder } from '../store/place.ts';
import { asked } from './member-place.ts';
import { joinMember, startEnsemble, type JoinedMember } from './three-members.ts';

const SOON_MS = 60_000;
/** As a manager has it. */
const TTL_MS = 3_000;

const endpointAt = ({ member }: JoinedMember): string => endpointOf(clientUrl(member.config));

/** A manager that reaches the member of its own host, or these. */
function managerAt(
  place: SharedPlace,
  host: JoinedMember,
  endpoints = [endpointAt(host)],
): Promise<TestManager> {
  const { certificates } = host.folder;
  const client = { endpoints, tls: () => certificates.clientTls() };
  return openManager(place, { name: host.member.config.name, ttlMs: TTL_MS, client });
}

it(
  'takes a state from SQLite, grows, and goes on when the host is lost that led',
  { timeout: 180_000 },
  async () => {
    const folder = testFolder();
    const backend = sqliteBackend(folder);
    onTestFinished(() => backend.close());
    const sqlite = await openStore(backend, { nowMs: () => 1_000, onFault: console.error });
    await serviceWithTasks(sqlite, 'web', 100);

    const [one] = await startEnsemble(1);
    const place: SharedPlace = { endpoint: endpointAt(one), prefix: '/skep', clusterId: 'swarm1' };
    const client = one.member.client();
    onTestFinished(() => client.close());
    const move = await Move.begin(backend, client, place, asked().signal);
    await move.copy(asked().signal);
    await sqlite.close();
    await move.finish(asked().signal);
    expect(movedTo(folder)).toMatchObject({ prefix: '/skep', clusterId: 'swarm1' });

    const first = await managerAt(place, one);
    await first.campaign();
    expect(contents(first.store.view)).toEqual(contents(sqlite.view));
    const over = new AbortController();
    onTestFinished(() => over.abort());
    const log = createLog('error');
    void runPromotion({ client: first.client, clock: SYSTEM_TIMES, log, everyMs: 100 }, over.signal);
    const two = await joinMember(one, 'two', {}, { promoted: 'by the leader' });
    const three = await joinMember(one, 'three', {}, { promoted: 'by the leader' });
    over.abort();
    await first.store.update((tx) => tx.create('config', config('of three')));
    const second = await managerAt(place, two, [endpointAt(two), endpointAt(three)]);
    const leads = second.campaign();
    leads.catch(() => undefined);
    await until('the second one has all', SOON_MS, () =>
      second.store.view.byName('config', 'of three') ? true : undefined,
    );

    // The host falls silent: its member, and with it the one connection of its manager.
    const pid = one.member.pid ?? expect.fail();
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It has ended.
      }
    });
    const lostMs = performance.now();
    await leads;
    await second.store.update((tx) => tx.create('config', config('after')));
    const tookMs = performance.now() - lostMs;
    expect(tookMs).toBeLessThan(SOON_MS);
    expect(first.lead.term).toBeUndefined();
    process.kill(pid, 'SIGCONT');
    await until('the first one has all', SOON_MS, () =>
      first.store.view.byName('config', 'after') ? true : undefined,
    );
    expect(contents(first.store.view)).toEqual(contents(second.store.view));
  },
);
