import { expect, test } from 'vitest';
import { eventually, type TaskRow } from '../swarm-mode/services/service-swarm.ts';
import { Line } from './line.ts';
import { Load } from './load.ts';
import type { NetworkSwarm } from './network-swarm.ts';
import { tryFetch, type Place } from './places.ts';

const NAME = 'named';
/** Tasks that go on until they are killed: engines tell one another of names within that time. */
const SLOW = ['--stop-signal', 'SIGWINCH', '--stop-grace-period', '5s'];
/** Engines name a task when it is healthy, or else as soon as its container begins. */
const HEALTH = ['--health-cmd', 'wget -qO- http://127.0.0.1/health', '--health-interval', '200ms'];
const MINUTES_MS = 150_000;

/** What the network "inner" makes of changes of a service that runs. `client` gives a task that is there. */
export function changeTests(get: () => NetworkSwarm, client: () => Promise<TaskRow>): void {
  test(
    'its name goes from a virtual IP to its tasks and back, and every request by it is answered',
    async () => {
      const swarm = get();
      const asker = await client();
      await swarm.docker('network', 'create', '-d', 'overlay', 'aside');
      const order = ['--update-order', 'start-first', '--update-parallelism', '1'];
      await swarm.serve(NAME, ['--replicas', '2', '--network', 'inner', ...SLOW, ...HEALTH, ...order]);
      const vip = await swarm.virtualIp(NAME, 'inner');
      await meaning(swarm, asker, [vip]);
      await using load = new Load(await swarm.inTask(asker), { targets: [`${NAME}:80`], loops: 2 });
      for (const mode of ['dnsrr', 'vip']) {
        await swarm.update(NAME, '--endpoint-mode', mode);
        const tasks = await swarm.running(NAME, 2);
        expect(await swarm.virtualIp(NAME, 'inner')).toBe(mode === 'vip' ? vip : '');
        await meaning(swarm, asker, mode === 'vip' ? [vip] : await addressesOf(swarm, tasks));
        await eventually('both have answered', async () => {
          const { answered } = await load.soFar();
          return tasks.every(({ ID }) => ID in answered) || undefined;
        });
      }
      const { failures, done } = await load.stop();
      expect(failures).toEqual([]);
      expect(done).toBeGreaterThan(0);
    },
    MINUTES_MS,
  );

  test(
    'a network that it leaves has its virtual IP as long as one of its tasks is there',
    async () => {
      const swarm = get();
      const from = await swarm.inTask(await client());
      const vip = await swarm.virtualIp(NAME, 'inner');
      const before = await swarm.running(NAME, 2);
      await swarm.answeredBy(from, `http://${vip}/`, before);
      const pause = ['--update-delay', '1h', '--update-order', 'stop-first'];
      await swarm.update(NAME, '-d', ...pause, '--network-add', 'aside', '--network-rm', 'inner');
      const [left] = await eventually('one of them is left', async () => {
        const some = (await swarm.tasks(NAME)).filter(({ ID }) => before.some((one) => one.ID === ID));
        const [running, ...others] = some.filter(({ DesiredState }) => DesiredState === 'Running');
        return running && others.length === 0 ? [running] : undefined;
      });
      await swarm.answeredBy(from, `http://${vip}/`, [left]);
      await using line = new Line(from, vip, 80);
      expect(await line.say('one')).toBe(left.ID);
      await swarm.update(NAME, '-d', '--update-delay', '0s');
      await refused(from, vip);
      expect(await line.say('two')).toBe(left.ID);
      await eventually('it has ended', async () => {
        const tasks = await swarm.tasks(NAME);
        return (
          tasks.some(({ ID, CurrentState }) => ID === left.ID && /^Shutdown|^Failed/.test(CurrentState)) ||
          undefined
        );
      });
      expect(await line.say('three')).toMatch(/^(ECONNRESET|closed)$/);
      await swarm.running(NAME, 2);
      await swarm.remove(NAME);
    },
    MINUTES_MS,
  );
}

async function refused(from: Place, vip: string): Promise<void> {
  await eventually('no new connection is taken', async () => {
    const { code } = await tryFetch(from, `http://${vip}/`);
    return code !== 0 || undefined;
  });
}

async function addressesOf(swarm: NetworkSwarm, tasks: readonly TaskRow[]): Promise<string[]> {
  const format = '{{range .NetworksAttachments}}{{.Network.Spec.Name}} {{index .Addresses 0}}\n{{end}}';
  const said = await Promise.all(
    tasks.map(({ ID }) => swarm.docker('inspect', '--type', 'task', '-f', format, ID)),
  );
  return said.flatMap((text) => /^inner ([\d.]+)/m.exec(text)?.[1] ?? []);
}

/** Waits until the name means these addresses to a task's container. */
async function meaning(swarm: NetworkSwarm, asker: TaskRow, wanted: readonly string[]): Promise<void> {
  const all = [...wanted].sort().join(' ');
  let last = '';
  await eventually(`${NAME} means ${all}`, async () => {
    const said = await swarm.exec(asker, 'nslookup', NAME, '127.0.0.11').catch(() => '');
    const [, ...answers] = said.split(/^Name:/m);
    last = answers
      .flatMap((answer) => /^Address:? ?\d*:? (\S+)/m.exec(answer)?.[1] ?? [])
      .sort()
      .join(' ');
    return last === all || undefined;
  }).catch(() => expect(last).toBe(all));
}
