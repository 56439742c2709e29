import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { sqliteBackend, type Store, type View } from '../../src/store/index.ts';
import { seeded } from '../seeded.ts';
import { startEtcd } from '../stores/etcd.ts';
import { openManager, sharedPlace } from './etcd-place.ts';
import { storeAt, testFolder } from './place.ts';

const LONG = process.env['SKEP_TEST_LONG'] !== undefined;
const ROUNDS = LONG ? 200 : 6;
const SEED = Number(process.env['SKEP_STORE_SEED'] ?? (LONG ? Math.floor(Math.random() * 1e9) : 3));
const WRITER = fileURLToPath(new URL('./writer-main.ts', import.meta.url));

interface Said {
  readonly kind: string;
  readonly number: number;
  readonly revision: number;
}

/** A state that a writer is killed over. */
interface Target {
  readonly rounds: number;
  /** As the writer takes it. */
  readonly argument: string;
  readonly open: () => Promise<Store>;
}

const sqlite = (): Target => {
  const folder = join(testFolder(), 'state');
  return { rounds: ROUNDS, argument: folder, open: () => storeAt({ open: () => sqliteBackend(folder) }) };
};

const inEtcd = async (): Promise<Target> => {
  const etcd = await startEtcd();
  onTestFinished(() => etcd[Symbol.asyncDispose]());
  const place = sharedPlace(etcd);
  // Each waits for the lease of the one before.
  const open = async (): Promise<Store> => (await openManager(place)).store;
  await (await open()).close();
  return { rounds: Math.ceil(ROUNDS / 3), argument: JSON.stringify(place), open };
};

it.each([
  { name: 'SQLite', make: sqlite },
  { name: 'etcd', make: inEtcd },
])(
  `loses nothing acknowledged in $name when its writer is killed (seed ${SEED})`,
  { timeout: 60_000 + ROUNDS * 5_000 },
  async ({ make }) => {
    const random = seeded(SEED);
    const { rounds, argument, open } = await make();
    const pairs: number[] = [];
    let next = 0;
    for (let round = 0; round < rounds; round++) {
      const said = await writeUntilKilled(argument, next, random.whole(1, 400));
      const of = (kind: string): number[] =>
        said.filter((one) => one.kind === kind).map(({ number }) => number);
      pairs.push(...of('pair'));
      const store = await open();
      expect(store.view.revision).toBeGreaterThanOrEqual(Math.max(...said.map(({ revision }) => revision)));
      for (const number of pairs) expect(halves(store.view, number), `pair ${number}`).toBe(2);
      next = 1 + Math.max(next, counted(store.view), ...said.map(({ number }) => number));
      expect(halves(store.view, next - 1)).not.toBe(1);
      expect(counted(store.view)).toBeGreaterThanOrEqual(Math.max(-1, ...of('count')));
      for (const number of of('gone')) expect(ofBatch(store.view, number), `batch ${number}`).toBe(0);
      const batch = of('batch').at(-1);
      if (batch !== undefined) expect(ofBatch(store.view, batch), `batch ${batch}`).toBe(150);
      await store.close();
    }
    expect(pairs.length).toBeGreaterThan(rounds);
  },
);

/** Lets the writer write, kills it some time after it has opened the state, and returns what it acknowledged. */
async function writeUntilKilled(argument: string, first: number, afterLines: number): Promise<Said[]> {
  const child = spawn(process.execPath, [WRITER, argument, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (more: string) => {
    text += more;
    if (text.split('\n').length > afterLines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [kind = '', number, revision] = line.split(' ');
      return { kind, number: Number(number), revision: Number(revision) };
    });
}

function halves(view: View, number: number): number {
  return ['left', 'right'].filter((side) => view.get('config', `config-${side}-${number}`)).length;
}

function counted(view: View): number {
  const data = view.get('config', 'config-counter')?.spec.data;
  return data ? Number(new TextDecoder().decode(data)) : -1;
}

function ofBatch(view: View, number: number): number {
  return [...view.all('config')].filter(({ id }) => id.startsWith(`config-batch-${number}-`)).length;
}
