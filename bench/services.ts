/**
 * Services on three real engines, by swarmd and by Docker's own swarm mode in turns on the same engines: from
 * `service create --replicas N` until all run, and from a node's loss of power until its task runs elsewhere.
 * Run as root: `npm run bench -- services`.
 */
import { request } from 'node:http';
import { startHosts, until, type Host } from '../test/hosts/index.ts';
import { Swarmd } from '../test/swarm-mode/swarmd.ts';
import { timed } from './figures.ts';

/** A manager that a docker CLI can be pointed at. */
interface Side {
  readonly name: string;
  readonly socket: string;
  readonly docker: (...args: string[]) => Promise<string>;
}

interface Task {
  readonly NodeID?: string;
  readonly Status: { readonly State: string };
  readonly DesiredState: string;
}

const REPLICAS = [30, 100];
const ROUNDS = 2;
const LOSSES = 3;
const SLEEP = ['busybox:latest', 'sleep', '1000000'];

const hosts = await startHosts({
  count: 3,
  disks: 'disk',
  dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
});
const manager = hosts.at(0);
const workers = [hosts.at(1), hosts.at(2)];

function ask<T>(socketPath: string, path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as T));
    });
    call.on('error', reject);
    call.end();
  });
}

const running = async (side: Side): Promise<Task[]> =>
  (await ask<Task[]>(side.socket, '/tasks')).filter(
    ({ Status, DesiredState }) => Status.State === 'running' && DesiredState === 'running',
  );

/** Makes the swarm, lets `use` measure on it, and has every engine leave it. */
async function within(side: Side, use: () => Promise<void>): Promise<void> {
  await side.docker('swarm', 'init', '--advertise-addr', manager.ip);
  const token = await side.docker('swarm', 'join-token', '-q', 'worker');
  for (const worker of workers) await worker.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
  await readyNodes(side);
  await use();
  for (const worker of workers) await worker.docker('swarm', 'leave', '--force');
  await side.docker('swarm', 'leave', '--force');
}

async function readyNodes(side: Side): Promise<void> {
  await until('three ready nodes', 60_000, async () => {
    const nodes = await ask<{ Status: { State: string } }[]>(side.socket, '/nodes');
    return nodes.filter(({ Status }) => Status.State === 'ready').length === 3 || undefined;
  });
}

async function remove(side: Side): Promise<void> {
  await side.docker('service', 'rm', 'web');
  for (const host of hosts)
    await until(
      'no container is left',
      180_000,
      async () => (await host.docker('ps', '-aq')) === '' || undefined,
    );
}

async function deploy(side: Side, replicas: number): Promise<number> {
  const tookMs = await timed(async () => {
    await side.docker('service', 'create', '-d', '--replicas', String(replicas), '--name', 'web', ...SLEEP);
    await until('all run', 180_000, async () => (await running(side)).length === replicas || undefined);
  });
  await remove(side);
  return tookMs;
}

/** How long until the loss shows, and until the task runs on another node. */
async function lose(side: Side): Promise<{ noticedMs: number; runningMs: number }> {
  const away = ['--constraint', `node.hostname!=${manager.name}`];
  await side.docker('service', 'create', '--replicas', '1', '--name', 'web', ...away, ...SLEEP);
  const [task] = await running(side);
  const nodes = await ask<{ ID: string; Description: { Hostname: string } }[]>(side.socket, '/nodes');
  const name = nodes.find(({ ID }) => ID === task?.NodeID)?.Description.Hostname;
  const host = hostNamed(name);
  const cutMs = performance.now();
  await host.powerOff();
  const node = `/nodes/${task?.NodeID}`;
  await until('the loss is noticed', 60_000, async () => {
    const { Status } = await ask<{ Status: { State: string } }>(side.socket, node);
    return Status.State === 'down' || undefined;
  });
  const noticedMs = performance.now() - cutMs;
  await until('it runs elsewhere', 60_000, async () =>
    (await running(side)).some(({ NodeID }) => NodeID !== task?.NodeID) ? true : undefined,
  );
  const runningMs = performance.now() - cutMs;
  await host.powerOn();
  await readyNodes(side);
  await remove(side);
  return { noticedMs, runningMs };
}

function hostNamed(name: string | undefined): Host {
  for (const host of hosts) if (host.name === name) return host;
  throw new Error(`no host ${name}`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const mean = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length;

const swarmd = await new Swarmd(manager).start();
const sides: readonly Side[] = [
  { name: 'docker', socket: manager.socket, docker: (...args) => manager.docker(...args) },
  { name: 'swarmd', socket: swarmd.socket, docker: (...args) => swarmd.docker(...args) },
];
try {
  const deployed = new Map<string, number[]>();
  const lost = new Map<string, { noticedMs: number; runningMs: number }[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of sides)
      await within(side, async () => {
        for (const replicas of REPLICAS) {
          const key = `${side.name} ${replicas}`;
          deployed.set(key, [...(deployed.get(key) ?? []), await deploy(side, replicas)]);
        }
      });
  }
  for (const side of sides)
    await within(side, async () => {
      const all: { noticedMs: number; runningMs: number }[] = [];
      for (let loss = 0; loss < LOSSES; loss += 1) all.push(await lose(side));
      lost.set(side.name, all);
    });
  for (const replicas of REPLICAS) {
    const [theirs, ours] = sides.map(({ name }) => deployed.get(`${name} ${replicas}`) ?? []);
    console.log(
      `${replicas} replicas: swarmd ${ours?.map(seconds).join(', ')}, Docker's swarm mode ${theirs?.map(seconds).join(', ')}: ` +
        `ratio ${(mean(ours ?? []) / mean(theirs ?? [])).toFixed(2)} (aim: at most 1)`,
    );
  }
  const [theirs, ours] = sides.map(({ name }) => lost.get(name) ?? []);
  for (const [name, all] of [
    ['swarmd', ours],
    ["Docker's swarm mode", theirs],
  ] as const)
    console.log(
      `loss of power, ${name}: noticed after ${all?.map(({ noticedMs }) => seconds(noticedMs)).join(', ')}; ` +
        `runs elsewhere after ${all?.map(({ runningMs }) => seconds(runningMs)).join(', ')}`,
    );
  const ratio =
    mean(ours?.map(({ runningMs }) => runningMs) ?? []) /
    mean(theirs?.map(({ runningMs }) => runningMs) ?? []);
  console.log(`loss of power until it runs elsewhere: ratio ${ratio.toFixed(2)} (aim: at most 0.5)`);
} finally {
  await swarmd.kill();
  await hosts.close();
}
