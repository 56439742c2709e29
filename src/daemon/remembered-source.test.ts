import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Bell } from '../base/bell.ts';
import { MONOTONIC } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import type {
  BalancedNetwork,
  EndpointsNeeds,
  EndpointsSource,
  EndpointsUpdate,
  ServiceEndpoints,
} from '../model/index.ts';
import { readRemembered, saveRemembered, type WorkerPlace } from './balancer-memory.ts';
import { RememberedSource } from './remembered-source.ts';

const PLACE: WorkerPlace = {
  clusterId: 'c',
  nodeId: 'n',
  managers: ['10.0.0.1:2377'],
  dataRoot: '/var/lib/docker',
};
const NOTHING = {
  full: false,
  networks: [],
  goneNetworks: [],
  services: [],
  goneServices: [],
  questions: [],
};

const network = (id: string): BalancedNetwork => ({
  ...{ id, name: `name of ${id}`, ingress: false, address: '10.0.1.9/24', subnets: ['10.0.1.0/24'], mtu: 0 },
  encrypted: true,
  entries: [{ nodeId: 'n', address: '10.0.1.9' }],
});
const service = (networkId: string, serviceId: string, ...tasks: string[]): ServiceEndpoints => ({
  ...{ networkId, serviceId, name: serviceId, virtualIp: '10.0.1.2', keepClients: false },
  ports: [{ protocol: 'tcp', published: 80, target: 8080 }],
  backends: tasks.map((taskId) => ({
    ...{ taskId, nodeId: 'n', nodeAddress: '192.0.2.1', address: '10.0.1.3', keepsClients: true },
    state: 'serving',
  })),
});

/** A source that says what it is told to say. */
class Script implements EndpointsSource {
  readonly needs: EndpointsNeeds[] = [];
  readonly #said: EndpointsUpdate[] = [];
  readonly #bell = new Bell();

  say(update: Partial<EndpointsUpdate> & { version: number }): void {
    this.#said.push({ ...NOTHING, ...update });
    this.#bell.ring();
  }

  async *watch(
    signal: AbortSignal,
    needs: EndpointsNeeds = 'all',
  ): AsyncGenerator<EndpointsUpdate, void, undefined> {
    this.needs.push(needs);
    while (await this.#bell.heard(signal)) yield* this.#said.splice(0);
  }

  report = (): Promise<void> => Promise.resolve();
  answer = (): Promise<void> => Promise.resolve();
}

let disk: string;
let path: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'remembered-'));
  path = join(disk, 'balancer.json');
});
afterEach(() => rmSync(disk, { recursive: true }));

interface Run extends AsyncDisposable {
  readonly live: Script;
  readonly updates: EndpointsUpdate[];
  readonly source: RememberedSource;
  /** What was remembered has been told, if anything was. */
  readonly late: Promise<unknown>;
  /** The n-th update. */
  at(index: number): Promise<EndpointsUpdate>;
}

/** Follows a source whose manager has all the patience of this test, or none. */
function follow(patience: 'ends' | 'lasts', place = PLACE, needs: EndpointsNeeds = 'all'): Run {
  const live = new Script();
  const stop = new AbortController();
  const late = Promise.withResolvers<unknown>();
  const clock = {
    nowMs: () => 0,
    pause: async (ms: number, signal: AbortSignal) => {
      const isPatience = ms > 1_000;
      await MONOTONIC.pause(isPatience && patience === 'lasts' ? 60_000 : 1, signal);
      if (isPatience) setImmediate(late.resolve);
    },
  };
  const source = new RememberedSource({
    live,
    path,
    place: () => place,
    touched: () => true,
    clock,
    log: createLog('fatal'),
  });
  const updates: EndpointsUpdate[] = [];
  const running = (async () => {
    for await (const update of source.watch(stop.signal, needs)) updates.push(update);
  })();
  return {
    ...{ live, updates, source, late: late.promise },
    at: async (index) => {
      await expect.poll(() => updates.length > index, { timeout: 10_000, interval: 2 }).toBe(true);
      const found = updates[index];
      if (!found) throw new Error('no update');
      return found;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function remember(): Promise<void> {
  await using run = follow('lasts');
  run.live.say({
    ...{ version: 1, full: true, networks: [network('n1'), network('n2'), network('n3')] },
    services: [service('n1', 's1', 't1'), service('n2', 's1', 't1'), service('n3', 's3', 't3')],
  });
  run.live.say({
    version: 2,
    services: [service('n1', 's1', 't2', 't4')],
    goneServices: [{ networkId: 'n2', serviceId: 's1' }],
  });
  run.live.say({ version: 3, goneNetworks: ['n3'] });
  await run.at(2);
}

test('who is told questions alone keeps nothing to follow, and what was kept is gone', async () => {
  await remember();
  await using run = follow('ends', PLACE, 'questions');
  run.live.say({ version: 1, full: true });
  expect(await run.at(0)).toMatchObject({ version: 1 });
  expect(run.live.needs).toEqual(['questions']);
  await expect.poll(() => readRemembered(path)?.told, { timeout: 10_000 }).toBeUndefined();
  expect(readRemembered(path)?.place).toEqual(PLACE);
});

test('what was said is kept by the end, 0600, and is where the next begins while no manager answers', async () => {
  await remember();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(existsSync(`${path}.new`)).toBe(false);
  expect(readRemembered(path)?.place).toEqual(PLACE);
  await using run = follow('ends');
  expect(await run.at(0)).toEqual({
    ...{ ...NOTHING, version: 0, full: true },
    networks: [network('n1'), network('n2')],
    services: [service('n1', 's1', 't2', 't4')],
  });
  run.live.say({ version: 1, full: true });
  expect(await run.at(1)).toMatchObject({ version: 1, full: true, services: [] });
});

test('a manager that answers is believed at once', async () => {
  await remember();
  await using run = follow('lasts');
  run.live.say({ version: 1, full: true, networks: [network('n9')] });
  expect(await run.at(0)).toMatchObject({ version: 1, networks: [{ id: 'n9' }] });
  await expect.poll(() => readRemembered(path)?.told?.networks, { timeout: 10_000 }).toEqual([network('n9')]);
});

test.each([
  ['of another node', { ...PLACE, nodeId: 'other' }],
  ['of another swarm', { ...PLACE, clusterId: 'other' }],
])('a state %s is none', async (_, place) => {
  await remember();
  await using run = follow('ends', place);
  await run.late;
  run.live.say({ version: 1, full: true });
  expect(await run.at(0)).toMatchObject({ version: 1 });
});

test.each([
  ['none', undefined],
  ['half', (text: string) => text.slice(0, -20)],
  ['no JSON', () => '\0\0\0'],
  ['of other kinds', () => '[]'],
  ['without ids', () => '{"networks":[{"id":1}]}'],
])('a file that is %s is no reason to fail', async (_, change) => {
  await remember();
  if (change) writeFileSync(path, change(readFileSync(path, 'utf8')));
  else rmSync(path);
  await using run = follow('ends');
  await run.late;
  run.live.say({ version: 1, full: true });
  expect(await run.at(0)).toMatchObject({ version: 1 });
});

test('rows that make no sense become empty ones, for the balancer to refuse', async () => {
  await remember();
  const known = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(
    path,
    JSON.stringify({
      ...known,
      told: { networks: [null, 7], services: [{ ports: [{ protocol: 'ipx' }], backends: [{}, 'x'] }] },
    }),
  );
  expect(readRemembered(path)?.told).toMatchObject({
    networks: [],
    services: [{ networkId: '', ports: [], backends: [{ address: '', state: 'serving' }] }],
  });
});

test('a balancer that was never told anything is told nothing', async () => {
  await saveRemembered(path, { place: PLACE, touched: true, told: undefined });
  expect(readRemembered(path)).toEqual({ place: PLACE, touched: true, told: undefined });
  await using run = follow('ends');
  await run.late;
  run.live.say({ version: 1, full: true });
  expect(await run.at(0)).toMatchObject({ version: 1 });
});

test('a disk that takes nothing stops nobody', async () => {
  rmSync(disk, { recursive: true });
  try {
    await using run = follow('lasts');
    run.live.say({ version: 1, full: true });
    run.live.say({ version: 2, networks: [network('n1')] });
    expect(await run.at(1)).toMatchObject({ version: 2 });
  } finally {
    disk = mkdtempSync(join(tmpdir(), 'remembered-'));
  }
});
