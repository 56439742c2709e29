import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { SwarmError } from '../../base/errors.ts';
import { Election, type Discovery } from '../../discovery/index.ts';
import type { ManagerConfig } from '../config.ts';
import { electedLeadership } from './elected.ts';
import { ALONE, type Leadership } from './leadership.ts';
import { SharedNames } from './shared-names.ts';

/** How this manager shares the work with others over the same discovery. */
export interface Replication {
  readonly leadership: Leadership;
  readonly rescheduler: Leadership | undefined;
  /** Missing where one manager at a time gives names, or where the discovery has no locks. */
  readonly names: SharedNames | undefined;
  /** Takes part in the elections from now on. */
  start(): void;
  /** Gives up at once what it leads. */
  resign(): Promise<void>;
}

/** Managers without `--replication` are many; the one that makes lost containers again is chosen among them. */
const RESCHEDULER_TTL_MS = 15_000;

/**
 * - With replication one manager leads in everything.
 * - Without it, over a discovery with locks, every manager leads, names are held in the store, and one is chosen to
 *   make lost containers again.
 * - Over any other discovery a manager can't know of others and does everything.
 *
 * Throws `unsupported` for replication over a discovery without locks.
 */
export function createReplication({ discovery, replication, log }: ManagerConfig): Replication {
  if (!replication) return discovery.lock ? amongEquals(discovery, log) : alone();
  const { advertise, ttlMs } = replication;
  const lock = discovery.lock?.({ name: 'leader', value: advertise, ttlMs });
  if (!lock)
    throw new SwarmError(
      'unsupported',
      `${discovery.scheme}:// discovery has no locks to elect a leader with`,
    );
  const election = new Election({ lock, ttlMs, onTrouble: troubleLog(log, 'Leader election') });
  const leadership = electedLeadership(election, advertise);
  tellChanges(leadership, election, advertise, log);
  return { leadership, rescheduler: leadership, names: undefined, ...running([election]) };
}

function alone(): Replication {
  return { leadership: ALONE, rescheduler: ALONE, names: undefined, ...running([]) };
}

function amongEquals(discovery: Discovery, log: Logger): Replication {
  const who = `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`;
  const lock = discovery.lock?.({ name: 'rescheduler', value: who, ttlMs: RESCHEDULER_TTL_MS });
  if (!lock) return alone();
  const election = new Election({
    lock,
    ttlMs: RESCHEDULER_TTL_MS,
    onTrouble: troubleLog(log, 'Choice of who reschedules'),
  });
  return {
    leadership: ALONE,
    rescheduler: electedLeadership(election, who),
    names: new SharedNames(discovery, who, log),
    ...running([election]),
  };
}

function running(elections: readonly Election[]): Pick<Replication, 'start' | 'resign'> {
  const stop = new AbortController();
  let ended: Promise<unknown> = Promise.resolve();
  return {
    start() {
      ended = Promise.all(elections.map((election) => election.run({ signal: stop.signal })));
    },
    async resign() {
      stop.abort(new Error('the manager stops'));
      await ended;
    },
  };
}

function troubleLog(log: Logger, what: string): (message: string | undefined) => void {
  return (message) => {
    if (message === undefined) log.info(`${what} works again`);
    else log.error({ err: message }, `${what} failed`);
  };
}

function tellChanges(leadership: Leadership, election: Election, advertise: string, log: Logger): void {
  let led = false;
  leadership.listen(() => {
    const leads = leadership.leads();
    if (leads && !led) log.info('Cluster leadership acquired');
    if (!leads && led) log.info('Cluster leadership lost');
    led = leads;
    if (election.holder === advertise)
      log.warn(
        { advertise },
        'Another manager leads under the --advertise address of this one: a former run of it, or one that needs its own',
      );
    else if (leadership.primary !== undefined)
      log.info({ primary: leadership.primary }, 'New leader elected');
  });
}
