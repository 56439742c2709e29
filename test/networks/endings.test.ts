import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type TaskRow } from '../swarm-mode/services/service-swarm.ts';
import { changeTests } from './changes.ts';
import { Line } from './line.ts';
import { Load, type LoadPlan, type LoadResult } from './load.ts';
import { startNetworkSwarm, type NetworkSwarm } from './network-swarm.ts';
import { inNamespace, namespacesOf, onHost, outside, runAt, type Place } from './places.ts';

/** What becomes of connections when tasks come and go, on three hosts that balance. Each test goes on from the former. */
const LONG = process.env['SKEP_TEST_LONG'] !== undefined;
const REQUESTS = LONG ? 50_000 : 5_000;
const COMING_AND_GOING_MS = LONG ? 120_000 : 15_000;
const MINUTES_MS = LONG ? 1_800_000 : 300_000;
/** The kernel's, for connections that are silent, in all namespaces, and how long one is silent then. */
const [KERNEL_S, SILENT_MS] = [2, 7_000];
const HOUR_MS = 3_600_000;
const PORT = 8080;

let swarm: NetworkSwarm;

beforeAll(async () => {
  swarm = await startNetworkSwarm({ swarmd: 3 });
  await swarm.docker('network', 'create', '-d', 'overlay', 'inner');
  await swarm.serve('client', ['--replicas', '1', '--network', 'inner', ...at('core-02')]);
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

const at = (host: string): string[] => ['--constraint', `node.hostname==${host}`];
/** Every node's address, at the published port. */
const nodes = (): string[] => swarm.balancing.map(({ ip }) => `${ip}:${PORT}`);
/** A task on the first worker, and its place. */
const clientTask = async (): Promise<TaskRow> => {
  const [task] = await swarm.running('client', 1);
  if (!task) throw new Error('no client');
  return task;
};
const client = async (): Promise<Place> => swarm.inTask(await clientTask());

/**
 * Puts load on all nodes from outside, and on the virtual IP from a container, while `act` runs at least once. Tasks that
 * run before it and after it have answered all of them.
 */
async function underLoad(plan: Partial<LoadPlan>, act: () => Promise<unknown>): Promise<LoadResult[]> {
  const targets = [`${await swarm.virtualIp('web', 'inner')}:80`];
  await using mesh = new Load(outside, { targets: nodes(), ...plan });
  await using inner = new Load(await client(), { targets, ...plan, loops: 2 });
  const wanted = plan.atLeast ?? 0;
  await answeredByAll([mesh, inner]);
  do await act();
  while ((await mesh.soFar()).done < wanted);
  await answeredByAll([mesh, inner]);
  return await Promise.all([mesh.stop(), inner.stop()]);
}

/** Waits until each load was answered by each of the four tasks that run. */
async function answeredByAll(loads: readonly Load[]): Promise<void> {
  const tasks = await swarm.running('web', 4);
  for (const load of loads)
    await eventually('all tasks have answered', async () => {
      const { answered } = await load.soFar();
      return tasks.every(({ ID }) => ID in answered) || undefined;
    });
}

function noneFailed(results: readonly LoadResult[]): void {
  for (const { done, failed, failures } of results) {
    expect(failures).toEqual([]);
    expect(failed).toBe(0);
    expect(done).toBeGreaterThan(0);
  }
}

/** The four tasks that run, once every node leads to them. */
async function four(): Promise<TaskRow[]> {
  const tasks = await swarm.running('web', 4);
  for (const node of nodes()) await swarm.answeredBy(outside, `http://${node}/`, tasks);
  return tasks;
}

test(
  'an update that starts first loses no request',
  async () => {
    // Each is healthy after a second.
    const health = [
      '--health-cmd',
      'wget -qO- http://127.0.0.1/health',
      '--health-interval',
      '500ms',
      '--health-retries',
      '20',
    ];
    const ways = ['--env', 'WARM=1', '--update-order', 'start-first', '--stop-signal', 'SIGTERM'];
    const published = ['-p', `${PORT}:80`, '--network', 'inner'];
    await swarm.serve('web', ['--replicas', '4', ...published, ...health, ...ways]);
    await four();
    noneFailed(await underLoad({ atLeast: REQUESTS }, () => swarm.update('web', '--force')));
  },
  MINUTES_MS,
);

test(
  'an update that stops two of four first loses none either',
  async () => {
    const order = ['--update-order', 'stop-first', '--update-parallelism', '2'];
    noneFailed(await underLoad({ atLeast: REQUESTS }, () => swarm.update('web', '--force', ...order)));
  },
  MINUTES_MS,
);

test(
  'no connection reaches a task that was told to stop before it, whatever comes and goes',
  async () => {
    const tells = ['--env-add', 'ON_TERM=tell', '--env-rm', 'WARM', '--stop-grace-period', '5s'];
    await swarm.update('web', ...tells, '--update-parallelism', '0', '--update-order', 'start-first');
    await four();
    const end = performance.now() + COMING_AND_GOING_MS;
    const scale = async (count: number): Promise<void> => {
      await swarm.docker('service', 'scale', '-d', `web=${count}`);
      await swarm.running('web', count);
    };
    const results = await underLoad({ loops: 4, pauseMs: 5 }, async () => {
      for (let count = 1; performance.now() < end; count = 6 - count) {
        await scale(count);
        if (count === 5) await swarm.update('web', '-d', '--force', '--update-parallelism', '2');
      }
      await scale(4);
    });
    noneFailed(results);
  },
  MINUTES_MS,
);

test(
  'an open connection goes on until the grace to stop has ended, and is reset then',
  async () => {
    const before = await four();
    await using mesh = new Line(outside, swarm.at(2).ip, PORT);
    await using inner = new Line(await client(), await swarm.virtualIp('web', 'inner'), 80);
    const names = await Promise.all([mesh.say('one'), inner.say('one')]);
    for (const name of names) expect(before.map(({ ID }) => ID)).toContain(name);
    const order = ['--update-parallelism', '0', '--update-order', 'start-first'];
    await swarm.update('web', '-d', '--force', ...order);
    const held = before.filter(({ ID }) => names.includes(ID));
    await eventually('both tasks were told to stop', async () => {
      const told = await Promise.all(held.map(isToldToStop));
      return told.every(Boolean) || undefined;
    });
    expect(await Promise.all([mesh.say('two'), inner.say('two')])).toEqual(names);
    await eventually('their containers have ended', async () => {
      const running = await Promise.all(held.map(runs));
      return !running.some(Boolean) || undefined;
    });
    for (const line of [mesh, inner]) expect(await line.say('three')).toMatch(/^(ECONNRESET|closed)$/);
  },
  MINUTES_MS,
);

describe('a service that changes', () => changeTests(() => swarm, clientTask));

test(
  'a silent connection lives, however soon the kernel would forget it',
  async () => {
    await four();
    await forgetAfter(KERNEL_S);
    await silence(SILENT_MS);
  },
  MINUTES_MS,
);

test(
  'a connection to a task that was killed is reset, although its host said nothing',
  async () => {
    const [through, tasks] = [swarm.at(0), await four()];
    await using mesh = new Line(outside, through.ip, PORT);
    await using inner = new Line(await client(), await swarm.virtualIp('web', 'inner'), 80);
    const names = await Promise.all([mesh.say('one'), inner.say('one')]);
    for (const task of tasks.filter(({ ID }) => names.includes(ID))) {
      await runAt(await swarm.inTask(task), 'sh', '-c', LINKS_DOWN);
      await swarm.host(task.Node).docker('kill', containerOf(task));
    }
    expect(await Promise.all([mesh.say('two'), inner.say('two')])).toEqual(['ECONNRESET', 'ECONNRESET']);
    await swarm.tasksWhen('web', (all) =>
      all.every((task) => !names.includes(task.ID) || task.DesiredState === 'Shutdown'),
    );
    await four();
  },
  MINUTES_MS,
);

if (LONG)
  test(
    'a connection that is silent for an hour lives',
    async () => {
      await four();
      await silence(HOUR_MS);
    },
    HOUR_MS + MINUTES_MS,
  );

/** Takes a container off all of its networks. */
const LINKS_DOWN =
  'for link in $(ip -o link | grep -o "eth[0-9]*@" | tr -d @); do ip link set $link down; done';

/** Opens connections, keeps them silent for so long, and expects them alive. */
async function silence(ms: number): Promise<void> {
  const [mesh, own, inner] = [
    new Line(outside, swarm.at(1).ip, PORT),
    new Line(onHost(swarm.at(2)), '127.0.0.1', PORT),
    new Line(await client(), await swarm.virtualIp('web', 'inner'), 80),
  ];
  try {
    const all = [mesh, own, inner];
    const names = await Promise.all(all.map((line) => line.say('one')));
    for (const name of names) expect(name).toMatch(/^\w{25}$/);
    await sleep(ms); // in which nothing is said
    expect(await Promise.all(all.map((line) => line.say('two')))).toEqual(names);
  } finally {
    for (const line of [mesh, own, inner]) await line[Symbol.asyncDispose]();
  }
}

/** Lets the kernel forget silent connections after so many seconds, on every host and in each of its namespaces. */
async function forgetAfter(seconds: number): Promise<void> {
  const set = `echo ${seconds} > /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established`;
  for (const host of swarm.hosts) {
    const places = [onHost(host), ...(await namespacesOf(host)).map((path) => inNamespace(host, path))];
    for (const place of places) await runAt(place, 'sh', '-c', set);
  }
}

const containerOf = ({ Name, ID }: TaskRow): string => `${Name}.${ID}`;

/** Whether a task's server says that it is to stop. */
async function isToldToStop(task: TaskRow): Promise<boolean> {
  const said = await swarm.exec(task, 'wget', '-qO-', 'http://127.0.0.1/').catch(() => '');
  return said.startsWith('late ');
}

async function runs(task: TaskRow): Promise<boolean> {
  const state = await swarm
    .host(task.Node)
    .tryDocker('inspect', '-f', '{{.State.Running}}', containerOf(task));
  return state.stdout.trim() === 'true';
}
