/**
 * Three managers on three real engines, by Docker's own swarm mode and by swarmd: services created a second, and how long
 * nothing can be written when the leader goes: its daemon killed, its daemon stopped, its host without power. Run as root:
 * `npm run bench -- managers`.
 */
import { request } from 'node:http';
import { startHosts, until, type Host, type Hosts } from '../test/hosts/index.ts';
import { ensureEtcd, startEtcd } from '../test/stores/etcd.ts';
import { Swarmd, type SwarmdOptions } from '../test/swarm-mode/swarmd.ts';

/** A manager that can be asked, and its daemon. */
interface Manager {
  readonly host: Host;
  readonly socket: string;
  docker(...args: string[]): Promise<string>;
  kill(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<unknown>;
}

interface Side {
  readonly name: string;
  readonly managers: readonly Manager[];
}

interface Node {
  readonly Description: { readonly Hostname: string };
  readonly ManagerStatus?: { readonly Leader?: boolean; readonly Reachability?: string };
}

const ENDS = ['killed', 'stopped', 'without power'] as const;
const ROUNDS = Number(process.env['SKEP_BENCH_ROUNDS'] ?? 3);
const CREATES = 300;
const CLIENTS = 6;
/** One attempt to write, while nobody leads. */
const TRY_MS = 500;
const GIVE_UP_MS = 120_000;
const READY_MS = 120_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  limitMs = 30_000,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) };
    const signal = AbortSignal.timeout(limitMs);
    const call = request({ socketPath, method, path, headers, agent: false, signal }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    call.on('error', reject);
    call.end(json);
  });
}

/** The same, of what is there; rejects on a refusal. */
async function must(socketPath: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const { status, text } = await ask(socketPath, method, path, body);
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** A service without tasks: what is measured is the writing. */
const service = (name: string): unknown => ({
  Name: name,
  TaskTemplate: { ContainerSpec: { Image: 'busybox:latest' } },
  Mode: { Replicated: { Replicas: 0 } },
});

/** Services created a second, by so many clients that ask the managers in turn. */
async function createdASecond({ managers }: Side, clients: number): Promise<number> {
  const names = Array.from({ length: CREATES }, (_, at) => `s${clients}-${at}`);
  const waiting = names.entries();
  const from = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (const [at, name] of waiting) {
        const { socket } = managers[clients === 1 ? 0 : at % managers.length] ?? missing();
        await must(socket, 'POST', '/services/create', service(name));
      }
    }),
  );
  const tookMs = performance.now() - from;
  for (const name of names) await must(managers[0]?.socket ?? missing(), 'DELETE', `/services/${name}`);
  return (CREATES / tookMs) * 1000;
}

async function nodes(manager: Manager): Promise<Node[]> {
  return (await must(manager.socket, 'GET', '/nodes')) as Node[];
}

/** Waits until one leads and all are reachable, as a manager sees it; the one that leads, and another. */
async function whole({ managers }: Side): Promise<{ leader: Manager; other: Manager }> {
  return await until('three reachable managers', READY_MS, async () => {
    const seen = await nodes(managers[0] ?? missing());
    const reachable = seen.filter(({ ManagerStatus }) => ManagerStatus?.Reachability === 'reachable');
    const name = seen.find(({ ManagerStatus }) => ManagerStatus?.Leader)?.Description.Hostname;
    const leader = managers.find(({ host }) => host.name === name);
    const other = managers.find((one) => one !== leader);
    return reachable.length === managers.length && leader && other ? { leader, other } : undefined;
  });
}

let written = 0;

/** Seconds until a write succeeds there; what fails is tried again at once. */
async function nextWrite({ socket }: Manager): Promise<number> {
  const from = performance.now();
  for (;;) {
    const body = { Name: `config-${(written += 1)}`, Data: 'eA==' };
    const answer = await ask(socket, 'POST', '/configs/create', body, TRY_MS).catch(() => undefined);
    const tookMs = performance.now() - from;
    if (answer?.status === 201) return tookMs / 1000;
    const isRefused = answer !== undefined && answer.status < 500;
    if (tookMs > GIVE_UP_MS || isRefused)
      throw new Error(`no write in ${GIVE_UP_MS} ms: ${answer?.text ?? 'no answer'}`);
  }
}

async function lose(side: Side, end: (typeof ENDS)[number]): Promise<number> {
  const { leader, other } = await whole(side);
  await nextWrite(other);
  const ending = {
    killed: () => leader.kill(),
    stopped: () => leader.stop(),
    'without power': () => leader.host.powerOff(),
  };
  await ending[end]();
  const tookS = await nextWrite(other);
  if (end === 'without power') {
    await leader.host.powerOn();
    if (leader instanceof Swarmd) await leader.start();
  } else await leader.start();
  await whole(side);
  return tookS;
}

async function join({ managers }: Side): Promise<void> {
  const [first = missing(), ...others] = managers;
  await first.docker('swarm', 'init', '--advertise-addr', first.host.ip);
  const token = await first.docker('swarm', 'join-token', '-q', 'manager');
  for (const one of others) await one.docker('swarm', 'join', '--token', token, `${first.host.ip}:2377`);
}

function missing(): never {
  throw new Error('no manager');
}

/** What is measured on one side, by name. */
type Figures = Map<string, number[]>;

async function measure(side: Side): Promise<Figures> {
  await join(side);
  await whole(side);
  const figures: Figures = new Map();
  for (const clients of [1, CLIENTS])
    figures.set(`created by ${clients}`, [await createdASecond(side, clients)]);
  for (const end of ENDS) {
    const all: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) all.push(await lose(side, end));
    figures.set(end, all);
    console.log(`${side.name}, leader ${end}: next write after ${shown(all)} s`);
  }
  return figures;
}

const shown = (all: readonly number[]): string => all.map((one) => one.toFixed(2)).join(', ');

/** Three hosts of one side alone, so that none is disturbed by another's leftovers. */
async function onHosts(use: (hosts: Hosts) => Promise<Figures>): Promise<Figures> {
  const hosts = await startHosts({ count: 3, disks: 'disk' });
  try {
    return await use(hosts);
  } finally {
    await hosts.close();
  }
}

const byDocker = (host: Host): Manager => ({
  host,
  socket: host.socket,
  docker: (...args) => host.docker(...args),
  kill: () => host.kill(),
  stop: () => host.stop(),
  start: () => host.start(),
});

async function bySwarmd(hosts: Hosts, name: string, options: SwarmdOptions): Promise<Figures> {
  const managers = hosts.all.map((host) => new Swarmd(host, options));
  try {
    for (const one of managers) await one.start();
    return await measure({ name, managers });
  } finally {
    for (const one of managers) await one.kill().catch(() => undefined);
  }
}

/** An etcd beside the hosts, on this machine's disk. */
async function overEtcd(hosts: Hosts): Promise<Figures> {
  await using etcd = await startEtcd({ heartbeat: 100, listen: hosts.at(0).ip.replace(/\d+$/, '1') });
  return await bySwarmd(hosts, 'swarmd over an etcd', { args: ['--store', `etcd://${etcd.endpoint}/bench`] });
}

const PATH = `${await ensureEtcd('3.4')}:${process.env['PATH'] ?? ''}`;
const docker = await onHosts((hosts) => measure({ name: 'Docker', managers: hosts.all.map(byDocker) }));
const own = await onHosts((hosts) => bySwarmd(hosts, 'swarmd', { env: { PATH } }));
const shared = await onHosts(overEtcd);
for (const [what, theirs] of docker)
  for (const [name, figures] of [
    ['swarmd', own],
    ['swarmd over an etcd', shared],
  ] as const)
    console.log(compared(what, name, figures.get(what) ?? [], theirs));

function compared(what: string, name: string, ours: readonly number[], theirs: readonly number[]): string {
  if (!what.startsWith('created')) {
    const aim = what === 'stopped' ? 'below 1 s' : 'below 5 s';
    return `leader ${what}: ${name} ${shown(ours)} s, Docker ${shown(theirs)} s (aim: ${aim})`;
  }
  const [mine = NaN, other = NaN] = [ours[0], theirs[0]];
  const ratio = (mine / other).toFixed(2);
  return `services ${what}: ${name} ${mine.toFixed(0)} a second, Docker ${other.toFixed(0)}: ratio ${ratio}`;
}
