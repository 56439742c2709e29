import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { LeaderRequestError } from '../swarmkit/index.ts';
import { AtLeader, NOT_LEADER_HEADER, REVISION_HEADER } from './at-leader.ts';
import type { ManagedSwarm } from './managed-swarm.ts';

const NOW = new AbortController().signal;
const LEADER = { id: 'leader', addr: '10.0.0.1:2377' };

/** Time that passes when it is waited for. */
function fakeTimes() {
  let ms = 0;
  return {
    nowMs: () => ms,
    wallMs: () => ms,
    pause: (wait: number) => {
      ms += wait;
      return Promise.resolve();
    },
  };
}

interface Facts {
  leader?: typeof LEADER | undefined;
  trouble?: string | undefined;
  revision: number;
}

/** What is asked of a swarm that this host manages. */
function swarmOf(facts: Facts): ManagedSwarm & { commit(): void } {
  const listeners = new Set<() => void>();
  const swarm = {
    local: { nodeId: 'self' },
    get manager() {
      return { leader: facts.leader };
    },
    get state() {
      return { trouble: facts.trouble };
    },
    store: {
      view: facts,
      watch: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    commit: () => {
      facts.revision += 1;
      for (const listener of listeners) listener();
    },
  };
  return swarm as unknown as ManagedSwarm & { commit(): void };
}

function answer(statusCode: number, body = '', headers: Record<string, string> = {}): IncomingMessage {
  return Object.assign(Readable.from(body === '' ? [] : [Buffer.from(body)]), {
    statusCode,
    headers,
  }) as unknown as IncomingMessage;
}

const unsent = () => new LeaderRequestError('nobody listens', false, undefined);
const cut = () => new LeaderRequestError('it was cut off', true, undefined);
const WRITE = { method: 'POST', path: '/services/create', body: { Name: 'web' } };

/** A leader that says these things, one after the other: answers and errors. */
function leaderOf(...says: (IncomingMessage | Error)[]) {
  const asked: string[] = [];
  const send = (_leader: unknown, { method, body }: { method: string; body?: Buffer }) => {
    asked.push(`${method} ${body?.toString() ?? ''}`);
    const next = says.shift() ?? new Error('asked too often');
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  return { asked, atLeader: new AtLeader({ times: fakeTimes(), send }) };
}

test('the leader answers with whatever status', async () => {
  const { asked, atLeader } = leaderOf(answer(409, '{"message":"taken"}'));
  const swarm = swarmOf({ leader: LEADER, revision: 1 });
  expect(await atLeader.json(swarm, WRITE, NOW)).toEqual({ status: 409, value: { message: 'taken' } });
  expect(asked).toEqual(['POST {"Name":"web"}']);
});

test('what certainly did nothing is sent again: no connection, and a manager that does not lead any more', async () => {
  const { asked, atLeader } = leaderOf(unsent(), answer(503, '', { [NOT_LEADER_HEADER]: '1' }), answer(204));
  const swarm = swarmOf({ leader: LEADER, revision: 1 });
  expect(await atLeader.json(swarm, WRITE, NOW)).toEqual({ status: 204, value: undefined });
  expect(asked).toHaveLength(3);
});

test('what may have been done is not sent again, but reads are', async () => {
  const swarm = swarmOf({ leader: LEADER, revision: 1 });
  const writing = leaderOf(cut(), answer(201));
  await expect(writing.atLeader.json(swarm, WRITE, NOW)).rejects.toThrow('may have done what was asked');
  expect(writing.asked).toHaveLength(1);
  const reading = leaderOf(cut(), answer(200, '[]'));
  const read = { method: 'GET', path: '/services/web/logs' };
  expect(await reading.atLeader.json(swarm, read, NOW)).toMatchObject({ status: 200 });
});

test('without a leader it waits for one, and not for ever', async () => {
  const facts: Facts = { leader: undefined, revision: 1 };
  const { asked, atLeader } = leaderOf(answer(200));
  await expect(atLeader.json(swarmOf(facts), WRITE, NOW)).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('The swarm does not have a leader') as string,
  });
  expect(asked).toEqual([]);
});

test('where the store is out of reach it fails at once, with the reason', async () => {
  const { asked, atLeader } = leaderOf(answer(200));
  const swarm = swarmOf({ leader: LEADER, trouble: 'the store has not answered for 7 s', revision: 1 });
  await expect(atLeader.json(swarm, WRITE, NOW)).rejects.toMatchObject({
    code: 'no-manager',
    message: 'the store has not answered for 7 s',
  });
  expect(asked).toEqual([]);
});

test('an answer waits until this copy of the state has come as far', async () => {
  const facts: Facts = { leader: LEADER, revision: 4 };
  const swarm = swarmOf(facts);
  const never = { nowMs: () => 0, wallMs: () => 0, pause: () => new Promise<void>(() => undefined) };
  const atLeader = new AtLeader({
    times: never,
    send: () => Promise.resolve(answer(201, '{}', { [REVISION_HEADER]: '6' })),
  });
  let isDone = false;
  const done = atLeader.json(swarm, WRITE, NOW).then(() => (isDone = true));
  await new Promise((resolve) => setImmediate(resolve));
  swarm.commit();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isDone).toBe(false);
  swarm.commit();
  await done;
  expect(facts.revision).toBe(6);
});
