import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, type Answer } from './raw.ts';

const WAIT_MS = 40_000;

/** The way to an engine that dies between making a container and answering. */
interface DyingWay extends AsyncDisposable {
  readonly address: string;
  /** The next answer to a create is lost; nothing gets through from then on. */
  loseNextCreate(): void;
  heal(): void;
}

async function startDyingWay(target: string): Promise<DyingWay> {
  const [host = '', port = ''] = target.split(':');
  const open = new Set<Socket>();
  let armed = false;
  let dead = false;
  const die = (): void => {
    dead = true;
    for (const socket of open) socket.destroy();
  };
  const server = createServer((client) => {
    client.on('error', () => undefined);
    if (dead) {
      client.destroy();
      return;
    }
    const engine = connect(Number(port), host);
    engine.on('error', () => undefined);
    for (const [one, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      open.add(one);
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    let losing = false;
    client.on('data', (chunk: Buffer) => {
      if (armed && /^POST \S*\/containers\/create/.test(chunk.toString('latin1'))) losing = true;
      engine.write(chunk);
    });
    engine.on('data', (chunk: Buffer) => {
      if (losing) die();
      else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseNextCreate: () => {
      armed = true;
    },
    heal: () => {
      armed = false;
      dead = false;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      die();
      await closed;
    },
  };
}

let hosts: Hosts;
let away: Host;
let here: Host;
let way: DyingWay;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
  [away, here] = hosts.all as [Host, Host];
  way = await startDyingWay(away.address);
  swarm = await startSwarm(undefined, {
    discovery: `nodes://${way.address},${here.address}`,
    healthy: 2,
    args: ['--engine-refresh-min-interval=1s', '--engine-refresh-max-interval=2s'],
  });
});

afterAll(async () => {
  await swarm.stop();
  await way[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
});

const create = (name: string, env: readonly string[] = []): Promise<Answer> =>
  call(swarm.url, 'POST', `/containers/create?name=${name}`, {
    body: { Image: 'busybox', Cmd: ['true'], Env: env },
    signal: AbortSignal.timeout(WAIT_MS),
  });

const idOn = async (host: Host, name: string): Promise<string> =>
  (await host.docker('ps', '-aq', '--no-trunc', '--filter', `name=^/${name}$`)).trim();

/** Asks for a container of an engine that makes it and then seems to die. */
async function lose(name: string): Promise<void> {
  way.loseNextCreate();
  const lost = await create(name, [`constraint:node==${away.name}`]);
  expect([lost.status, lost.message]).toEqual([500, expect.stringContaining(`engine ${way.address}: `)]);
}

describe('a create whose engine dies before it answers', () => {
  it('keeps its name until the engine is back and says that it has the container', async () => {
    await lose('kept');
    const again = create('kept');
    way.heal();
    const { status, message } = await again;
    const id = await idOn(away, 'kept');
    expect(id).not.toBe('');
    expect([status, message]).toEqual([
      409,
      expect.stringContaining(`The name kept is already assigned to ${id}.`),
    ]);
    expect(await idOn(here, 'kept')).toBe('');
  });

  it('can be tried again elsewhere when the engine stays away, and is removed when it is back', async () => {
    await until('both engines', WAIT_MS, async () =>
      (await call(swarm.url, 'GET', '/info')).text.match(/"Healthy"/g)?.length === 2 ? true : undefined,
    );
    await lose('moved');
    expect(await idOn(away, 'moved')).not.toBe('');
    const again = await create('moved');
    expect([again.status, await idOn(here, 'moved')]).toEqual([201, again.json<{ Id: string }>().Id]);
    way.heal();
    await until('the first one to go', WAIT_MS, async () =>
      (await idOn(away, 'moved')) === '' ? true : undefined,
    );
    expect(await idOn(here, 'moved')).not.toBe('');
  });
});
