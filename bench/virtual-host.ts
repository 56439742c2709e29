/**
 * What the manager costs: the same calls through it and directly at an engine, in turn, over real engines.
 * Run as root: `npm run bench -- virtual-host`.
 */
import { readFileSync } from 'node:fs';
import { startHosts } from '../test/hosts/index.ts';
import { startSwarm } from '../test/virtual-host/manager.ts';
import { Client, figuresOf, ms, throughput, timed, type Figures } from './figures.ts';

const ENGINES = 3;
const CONTAINERS = 150;
const ROUNDS = Number(process.env['SKEP_BENCH_ROUNDS'] ?? 150);
const CLIENTS = 16;
const THROUGHPUT_MS = 5_000;

/** The Go original over three engines and 150 containers on two cores: p50 and p99. */
const ORIGINAL: Record<string, readonly [number, number]> = {
  create: [11.9, 20.8],
  inspect: [0.8, 5.0],
  'ps -a': [1.2, 2.2],
  info: [0.31, 1.3],
};

type Operation = (client: Client, state: Map<string, string>) => Promise<unknown>;

const createBody = { Image: 'busybox', Cmd: ['sleep', '1000'] };

async function exec(client: Client, container: string): Promise<void> {
  const { Id } = await client.json('POST', `/containers/${container}/exec`, {
    Cmd: ['true'],
    AttachStdout: true,
  });
  await client.call('POST', `/exec/${String(Id)}/start`, { Detach: true });
}

const operations: [string, Operation][] = [
  [
    'create',
    async (client, state) => {
      const { Id } = await client.json('POST', '/containers/create', createBody);
      state.set('made', String(Id));
    },
  ],
  ['inspect', (client, state) => client.call('GET', `/containers/${state.get('made')}/json`)],
  ['remove', (client, state) => client.call('DELETE', `/containers/${state.get('made')}?force=1`)],
  ['exec', (client, state) => exec(client, state.get('running') ?? '')],
  ['ps -a', (client) => client.call('GET', '/containers/json?all=1')],
  ['info', (client) => client.call('GET', '/info')],
];

const hosts = await startHosts({ count: ENGINES, disks: 'disk' });
try {
  const swarm = await startSwarm(hosts);
  try {
    const manager = new Client(swarm.url);
    const engine = new Client(`http://${hosts.at(0).address}`);
    for (let i = 0; i < CONTAINERS; i += 1) await manager.json('POST', '/containers/create', createBody);
    const start = async (client: Client): Promise<string> => {
      const { Id } = await client.json('POST', '/containers/create', createBody);
      await client.call('POST', `/containers/${String(Id)}/start`);
      return String(Id);
    };
    const states = { manager: new Map<string, string>(), engine: new Map<string, string>() };
    states.manager.set('running', await start(manager));
    states.engine.set('running', await start(engine));

    const samples = new Map<string, { manager: number[]; engine: number[] }>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const side of ['manager', 'engine'] as const) {
        for (const [name, operation] of operations) {
          const client = side === 'manager' ? manager : engine;
          const took = await timed(() => operation(client, states[side]));
          const of = samples.get(name) ?? { manager: [], engine: [] };
          of[side].push(took);
          samples.set(name, of);
        }
      }
    }
    const show = (f: Figures): string => `${ms(f.p50Ms)}/${ms(f.p99Ms)}`;
    console.log(`${ENGINES} engines, ${CONTAINERS} containers, ${ROUNDS} rounds; p50/p99 in ms`);
    console.log('operation     manager        engine         ratio p50   Go original');
    for (const [name, of] of samples) {
      const [m, e] = [figuresOf(of.manager), figuresOf(of.engine)];
      const original = ORIGINAL[name];
      console.log(
        `${name.padEnd(13)} ${show(m).padEnd(14)} ${show(e).padEnd(14)} ${(m.p50Ms / e.p50Ms).toFixed(2).padEnd(11)} ${original ? original.join('/') : ''}`,
      );
    }
    const many = new Client(swarm.url, CLIENTS);
    const running = states.manager.get('running') ?? '';
    const inspects = await throughput(CLIENTS, THROUGHPUT_MS, () =>
      many.call('GET', `/containers/${running}/json`),
    );
    const lists = await throughput(CLIENTS, THROUGHPUT_MS, () => many.call('GET', '/containers/json?all=1'));
    const direct = new Client(`http://${hosts.at(0).address}`, CLIENTS);
    const directInspects = await throughput(CLIENTS, THROUGHPUT_MS, () =>
      direct.call('GET', `/containers/${states.engine.get('running')}/json`),
    );
    console.log(
      `inspect, ${CLIENTS} clients: ${inspects.toFixed(0)} requests/s (engine alone ${directInspects.toFixed(0)}; Go original 2400)`,
    );
    console.log(`ps -a, ${CLIENTS} clients: ${lists.toFixed(0)} requests/s (Go original 2400)`);
    const rss =
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${swarm.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    console.log(`memory of the manager: ${rss.toFixed(0)} MB (aim: below 150; Go original 21)`);
    for (const client of [manager, engine, many, direct]) client.close();
  } finally {
    await swarm.stop();
  }
} finally {
  await hosts.close();
}
