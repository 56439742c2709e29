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

/** One side of the comparison: a client, the containers it has made, and one that runs. */
interface Side {
  client: Client;
  made: string[];
  running: string;
  forExec: string;
}

const createBody = { Image: 'busybox', Cmd: ['sleep', '1000'] };

async function create(side: Side): Promise<void> {
  const { Id } = await side.client.json('POST', '/containers/create', createBody);
  side.made.push(String(Id));
}

async function exec({ client, forExec }: Side): Promise<void> {
  const { Id } = await client.json('POST', `/containers/${forExec}/exec`, {
    Cmd: ['true'],
    AttachStdout: true,
  });
  await client.call('POST', `/exec/${String(Id)}/start`, { Detach: true });
}

/** Each is called ROUNDS times on either side in turn, one after the other. */
const operations: [string, (side: Side, round: number) => Promise<unknown>][] = [
  ['ping', ({ client }) => client.call('GET', '/_ping')],
  ['create', create],
  ['inspect new', ({ client, made }, round) => client.call('GET', `/containers/${made[round] ?? ''}/json`)],
  ['inspect', ({ client, running }) => client.call('GET', `/containers/${running}/json`)],
  ['exec', exec],
  ['remove', ({ client, made }, round) => client.call('DELETE', `/containers/${made[round] ?? ''}?force=1`)],
  ['ps -a', ({ client }) => client.call('GET', '/containers/json?all=1')],
  ['info', ({ client }) => client.call('GET', '/info')],
];

async function startContainer(client: Client): Promise<string> {
  const { Id } = await client.json('POST', '/containers/create', createBody);
  await client.call('POST', `/containers/${String(Id)}/start`);
  return String(Id);
}

async function sideOf(url: string): Promise<Side> {
  const client = new Client(url);
  return { client, made: [], running: await startContainer(client), forExec: await startContainer(client) };
}

const hosts = await startHosts({ count: ENGINES, disks: 'disk' });
try {
  const swarm = await startSwarm(hosts);
  try {
    const manager = await sideOf(swarm.url);
    const engine = await sideOf(`http://${hosts.at(0).address}`);
    for (let i = 0; i < CONTAINERS; i += 1)
      await manager.client.json('POST', '/containers/create', createBody);
    const samples = new Map<string, { manager: number[]; engine: number[] }>();
    for (const [name, operation] of operations) {
      const of = { manager: [] as number[], engine: [] as number[] };
      samples.set(name, of);
      for (let round = 0; round < ROUNDS; round += 1) {
        of.manager.push(await timed(() => operation(manager, round)));
        of.engine.push(await timed(() => operation(engine, round)));
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
    const { running } = manager;
    const inspects = await throughput(CLIENTS, THROUGHPUT_MS, () =>
      many.call('GET', `/containers/${running}/json`),
    );
    const lists = await throughput(CLIENTS, THROUGHPUT_MS, () => many.call('GET', '/containers/json?all=1'));
    const direct = new Client(`http://${hosts.at(0).address}`, CLIENTS);
    const directInspects = await throughput(CLIENTS, THROUGHPUT_MS, () =>
      direct.call('GET', `/containers/${engine.running}/json`),
    );
    console.log(
      `inspect, ${CLIENTS} clients: ${inspects.toFixed(0)} requests/s (engine alone ${directInspects.toFixed(0)}; Go original 2400)`,
    );
    console.log(`ps -a, ${CLIENTS} clients: ${lists.toFixed(0)} requests/s (Go original 2400)`);
    const rss =
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${swarm.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    console.log(`memory of the manager: ${rss.toFixed(0)} MB (aim: below 150; Go original 21)`);
    for (const client of [manager.client, engine.client, many, direct]) client.close();
  } finally {
    await swarm.stop();
  }
} finally {
  await hosts.close();
}
