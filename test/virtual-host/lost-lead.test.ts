import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SwarmError } from '../../src/base/errors.ts';
import type { Discovery, Lock } from '../../src/discovery/index.ts';
import { startManager, type Manager } from '../../src/virtual-host/index.ts';
import { DEFAULT_FILTERS } from '../../src/scheduler/index.ts';
import { until } from '../hosts/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { call, type Answer } from './raw.ts';

const TTL_MS = 1_500;
const ID = 'ab'.repeat(32);

/** A store that gives its one lock to whom the test says. */
class Store extends EventEmitter {
  holder: string | undefined;
  down = false;

  lock(value: string): Lock {
    const reach = (): void => {
      if (this.down) throw new SwarmError('unavailable', 'the store is down');
    };
    return {
      acquire: async () => {
        reach();
        this.holder ??= value;
        return this.holder === value ? { kind: 'held' } : { kind: 'taken', by: this.holder };
      },
      renew: async () => {
        reach();
        return this.holder === value;
      },
      release: async () => {
        if (this.holder === value) this.holder = undefined;
      },
      watch: async function* (this: Store, { signal }: { signal: AbortSignal }) {
        while (!signal.aborted) {
          reach();
          yield this.holder;
          await once(this, 'change', { signal }).catch(() => undefined);
        }
      }.bind(this),
    };
  }
}

let engine: FakeEngine;
let store: Store;
let manager: Manager;
let url: string;
let removed: string[];
/** Creates that the engine has got and not answered. */
let creates: ServerResponse[];

beforeEach(async () => {
  engine = new FakeEngine(1);
  removed = [];
  creates = [];
  engine.intercept = (path, res) => {
    if (path === '/containers/create') creates.push(res);
    else if (path === `/containers/${ID}`) {
      removed.push(path);
      res.writeHead(204).end();
    } else return false;
    return true;
  };
  await engine.start();
  store = new Store();
  const discovery: Discovery = {
    scheme: 'etcd',
    list: async () => [{ address: engine.address }],
    async *watch({ signal }) {
      yield { kind: 'entries', entries: [{ address: engine.address }] };
      if (!signal.aborted) await once(signal, 'abort');
    },
    register: async () => undefined,
    lock: ({ value }) => store.lock(value),
  };
  manager = await startManager({
    listen: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    discovery,
    replication: { advertise: '127.0.0.1:1', ttlMs: TTL_MS },
    strategy: 'spread',
    filters: DEFAULT_FILTERS,
    overcommit: 0.05,
    createRetry: 0,
    engineRefreshMinMs: 30_000,
    engineRefreshMaxMs: 60_000,
    engineFailureRetry: 3,
    debug: false,
    cors: false,
    refreshOnNodeFilter: false,
    containerNameRefreshFilter: '',
    version: 'test',
    commit: '',
    log: pino({ level: 'silent' }, new Writable({ write: (_chunk, _encoding, done) => done() })),
  });
  const [bound] = manager.addresses;
  url = bound?.kind === 'tcp' ? `http://127.0.0.1:${bound.port}` : '';
  await until('a healthy engine and the lead', 20_000, async () => {
    const info = await call(url, 'GET', '/info');
    return (info.text.includes('"Healthy"') && info.text.includes('"primary"')) || undefined;
  });
});

afterEach(async () => {
  for (const res of creates) res.destroy();
  await manager.close();
  await engine.stop();
});

const create = (): Promise<Answer> =>
  call(url, 'POST', '/v1.41/containers/create?name=web', { body: { Image: 'busybox' } });

async function createReachesEngine(): Promise<ServerResponse> {
  return until('a create at the engine', 20_000, () => creates.shift());
}

function answerCreated(res: ServerResponse): void {
  res.writeHead(201, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ Id: ID, Warnings: [] }));
}

async function notPrimary(): Promise<void> {
  await until(
    'the lead to be lost',
    20_000,
    async () => (await call(url, 'GET', '/info')).text.includes('["Role","replica"]') || undefined,
  );
}

describe('a create under way', () => {
  it('ends in a container while the lead lasts', async () => {
    const asked = create();
    answerCreated(await createReachesEngine());
    expect((await asked).status).toBe(201);
    expect(removed).toEqual([]);
  });

  it('is undone when the lead is lost before the engine has answered', async () => {
    const asked = create();
    const pending = await createReachesEngine();
    store.holder = 'another:1';
    await notPrimary();
    answerCreated(pending);
    const { status, message } = await asked;
    expect([status, message]).toEqual([500, 'This manager is not the primary any more: try again']);
    expect(removed).toEqual([`/containers/${ID}`]);
  });

  it('is undone as well when the lead was lost and won back meanwhile', async () => {
    const asked = create();
    const pending = await createReachesEngine();
    store.holder = 'another:1';
    await notPrimary();
    store.holder = undefined;
    store.emit('change');
    await until(
      'the lead again',
      20_000,
      async () => (await call(url, 'GET', '/info')).text.includes('["Role","primary"]') || undefined,
    );
    answerCreated(pending);
    expect((await asked).status).toBe(500);
    expect(removed).toEqual([`/containers/${ID}`]);
  });

  it('is undone when the store is gone and the lease may have run out', async () => {
    const asked = create();
    const pending = await createReachesEngine();
    store.down = true;
    await notPrimary();
    answerCreated(pending);
    expect((await asked).status).toBe(500);
    expect(removed).toEqual([`/containers/${ID}`]);
  });

  it('is undone later where the engine does not answer at once', async () => {
    let refusals = 5;
    const answers = engine.intercept;
    engine.intercept = (path, res) => {
      if (path !== `/containers/${ID}` || refusals === 0) return answers(path, res);
      refusals -= 1;
      res.destroy();
      return true;
    };
    const asked = create();
    const pending = await createReachesEngine();
    store.holder = 'another:1';
    await notPrimary();
    answerCreated(pending);
    expect((await asked).status).toBe(500);
    await until('its removal', 20_000, () => removed.length > 0 || undefined);
    expect(refusals).toBe(0);
  });

  it('is undone when the manager is stopped', async () => {
    const asked = create();
    const pending = await createReachesEngine();
    const closed = manager.close();
    await until('the lock given back', 20_000, () => store.holder === undefined || undefined);
    answerCreated(pending);
    expect((await asked).status).toBe(500);
    expect(removed).toEqual([`/containers/${ID}`]);
    await closed;
  });
});
