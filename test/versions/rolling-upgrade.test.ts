import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { ManagerSwarm } from '../managers/manager-swarm.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { MARK } from '../store/next-layout.ts';
import type { Swarmd } from '../swarm-mode/swarmd.ts';

const MINUTES_MS = 240_000;
/** A swarmd that knows one more layout of the state. */
const NEXT = [process.execPath, fileURLToPath(new URL('next-swarmd.ts', import.meta.url))];
const TOO_NEW = 'it was written by a newer swarmd (layout 2, since version';

async function started(...args: Parameters<typeof ManagerSwarm.start>): Promise<ManagerSwarm> {
  const swarm = await ManagerSwarm.start(...args);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(swarm.story());
    await swarm[Symbol.asyncDispose]();
  });
  return swarm;
}

/** What a host lists of configs, once it lists these. */
function lists(one: Swarmd, expected: readonly string[]): Promise<true> {
  return eventually(`${one.host.name} lists ${expected.join()}`, async () => {
    const { code, stdout } = await one.tryDocker(['config', 'ls', '--format', '{{.Name}}']);
    return code === 0 && stdout.trim().split('\n').sort().join() === [...expected].sort().join()
      ? true
      : undefined;
  });
}

const create = (one: Swarmd, name: string): Promise<string> =>
  eventually(`${name} is made`, async () => {
    const { code, stdout } = await one.tryDocker(['config', 'create', name, '/etc/hostname']);
    return code === 0 ? stdout.trim() : undefined;
  });

/** Until `docker` says at a host why it does not manage. */
const refused = (one: Swarmd): Promise<string> =>
  eventually(`${one.host.name} is refused`, async () => {
    const { code, stderr } = await one.tryDocker(['node', 'ls']);
    return code !== 0 && stderr.includes(TOO_NEW) ? stderr : undefined;
  });

test(
  'managers over one etcd are upgraded one after the other: the state is raised after the last one, and refused to those of before',
  async () => {
    const swarm = await started(['20.10', '20.10', '20.10'], { managers: 3 });
    const { etcd } = swarm;
    if (!etcd) throw new Error('no etcd');
    const layout = async (): Promise<string> => {
      const keys = await etcd.etcdctl('get', '--prefix', '/test/');
      return /state\/layout\n(\d+)/.exec(keys)?.[1] ?? '';
    };
    const rows = async (name: string): Promise<string> => {
      const all = await etcd.etcdctl('get', '--prefix', '/test/', '--print-value-only');
      return all.split('\n').find((line) => line.includes(`"name":"${name}"`)) ?? '';
    };
    const made = ['made-0'];
    await create(swarm.at(0), 'made-0');
    for (const at of [0, 1, 2]) {
      expect(await layout()).toBe('1');
      await swarm.at(at).become(...NEXT);
      // The lead has moved by then: each of them writes what the others read.
      const name = `made-${at + 1}`;
      await create(swarm.at(at), name);
      made.push(name);
      for (const one of swarm.swarmds) await lists(one, made);
      if (at < 2) expect(await rows(name)).not.toContain(MARK);
    }
    await eventually('the layout is raised', async () => ((await layout()) === '2' ? true : undefined));
    await swarm.at(0).docker('service', 'create', '--detach', '--name', 'web', '--replicas', '0', 'busybox');
    await swarm.at(0).docker('service', 'update', '--detach', '--label-add', 'a=b', 'web');
    for (const one of swarm.swarmds) await lists(one, made);

    // One that goes back.
    await swarm.at(2).become();
    expect(await refused(swarm.at(2))).toContain('upgrade swarmd on this host');
    await create(swarm.at(0), 'still');
    await swarm.at(2).become(...NEXT);
    await lists(swarm.at(2), [...made, 'still']);
  },
  MINUTES_MS,
);

test(
  'one manager’s file is raised at once, kept as it was beside, and refused to an older swarmd and to hosts that run one',
  async () => {
    const swarm = await started(['20.10', '20.10'], { managers: 1, own: true });
    const [manager, worker] = [swarm.at(0), swarm.at(1)];
    await create(manager, 'before');
    const backup = join(manager.stateDir, 'backup');
    await manager.become(...NEXT);
    await lists(manager, ['before']);
    await create(manager, 'after');
    expect(existsSync(join(manager.stateDirHere, 'state.db.layout-1'))).toBe(true);
    const promoted = await eventually('it is refused', async () => {
      const { stderr } = await swarm.at(0).tryDocker(['node', 'promote', swarm.hosts.at(1).name]);
      return stderr.includes('too old') ? stderr : undefined;
    });
    expect(promoted).toContain(
      'is too old for the state of this swarm (layout 1; it has 2): upgrade it first',
    );
    expect((await manager.command('backup', backup)).code).toBe(0);

    await manager.become();
    expect(await refused(manager)).toContain('upgrade swarmd on this host');
    const restored = await worker.command(
      '--state-dir',
      worker.host.diskFolder('elsewhere'),
      'restore',
      backup,
    );
    expect([restored.code, restored.stderr]).not.toEqual([0, '']);
    await manager.become(...NEXT);
    await lists(manager, ['before', 'after']);
    await worker.become(...NEXT);
    await eventually('it is promoted', async () =>
      (await manager.tryDocker(['node', 'promote', swarm.hosts.at(1).name])).code === 0 ? true : undefined,
    );
    await lists(worker, ['before', 'after']);
  },
  MINUTES_MS,
);
