// The playground of `npm start`: three real Docker Engines, the manager over them, an example application deployed
// through it. Everything is removed at its end; an engine that already runs on this machine is not touched.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run, startHosts, until, type Hosts } from '../test/hosts/index.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

class Playground implements AsyncDisposable {
  readonly #hosts: Hosts;
  readonly #manager: ChildProcess;
  readonly #port: number;
  #said = '';

  private constructor(hosts: Hosts, port: number) {
    this.#hosts = hosts;
    this.#port = port;
    const args = [
      'manage',
      '-H',
      `tcp://127.0.0.1:${port}`,
      '--strategy',
      'spread',
      `nodes://${hosts.addresses}`,
    ];
    step(`swarm ${args.join(' ')}`);
    // A session of its own: Ctrl-C reaches the playground alone, which ends the manager in order.
    this.#manager = spawn(here('../bin/swarm'), args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const keep = (chunk: Buffer): void => {
      this.#said = (this.#said + chunk.toString()).slice(-4000);
    };
    this.#manager.stdout?.on('data', keep);
    this.#manager.stderr?.on('data', keep);
  }

  static async start(): Promise<Playground> {
    step('starting three Docker Engines as hosts core-01, core-02, core-03');
    const labels = [{ storage: 'ssd' }, { storage: 'ssd' }, { storage: 'disk' }];
    const hosts = await startHosts({ count: 3, labels, handleSignals: false });
    try {
      const playground = new Playground(hosts, await freePort(3375));
      return playground;
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  get url(): string {
    return `tcp://127.0.0.1:${this.#port}`;
  }

  /** Rejects when the manager ends by itself, with its last words. */
  async managerEnded(): Promise<never> {
    if (this.#manager.exitCode === null && this.#manager.signalCode === null)
      await once(this.#manager, 'exit');
    throw new Error(`the manager ended:\n${this.#said}`);
  }

  async docker(...args: string[]): Promise<string> {
    // The plain builder: the other one wants a plugin that a fresh machine does not have.
    const env = { DOCKER_BUILDKIT: '0', DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined };
    return run('docker', ['-H', this.url, ...args], { env });
  }

  /** Runs a command as a person would, and shows it. */
  async shown(...args: string[]): Promise<string> {
    step(`docker ${args.join(' ')}`);
    return this.docker(...args);
  }

  async deploy(): Promise<string> {
    await until('three healthy nodes', 30_000, async () => {
      const info = await this.docker('info');
      return info.split('Status: Healthy').length > 3 ? true : undefined;
    });
    const where = 'constraint:node==core-01';
    await this.shown(
      'build',
      '-q',
      '--build-arg',
      where,
      '-t',
      'example',
      relative(process.cwd(), here('app')),
    );
    await this.shown('run', '-d', '--name', 'web', '-p', '80:80', '-e', where, 'example');
    await this.shown('run', '-d', '--name', 'cache', '-e', 'affinity:container==web', 'redis');
    const page = `http://${this.#hosts.at(0).ip}/`;
    await until('the example answers', 10_000, async () => {
      const answer = await fetch(page, { signal: AbortSignal.timeout(1_000) });
      return (await answer.text()).includes('Hello from the swarm') ? true : undefined;
    });
    console.log(`\n${await this.docker('ps')}`);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#manager, 'exit');
    if (this.#manager.kill('SIGTERM')) await Promise.race([ended, sleep(2_000, undefined, { ref: false })]);
    this.#manager.kill('SIGKILL');
    await this.#hosts.close();
  }
}

function step(line: string): void {
  console.log(`> ${line}`);
}

/** The first port from `first` on that nothing listens at. */
async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port++) {
    const server = createServer();
    const listening = once(server.listen(port, '127.0.0.1'), 'listening');
    const free = await listening.then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    return port;
  }
  throw new Error(`no free port from ${first} on`);
}

function whatNext(url: string, page: string): string {
  const docker = `docker -H ${url}`;
  return `
The swarm is up: three Docker Engines, one Docker. In another terminal:

  ${docker} info
  ${docker} ps
  ${docker} run -d --name more -e constraint:storage==disk nginx
  ${docker} exec -it web sh
  ${docker} logs web
  curl ${page}

or "export DOCKER_HOST=${url}", and plain docker commands work on all of them.
The hosts have busybox, nginx and redis stand-ins; there is no registry to pull from.

Ctrl-C ends it and removes everything.`;
}

/** Settles at the first SIGINT or SIGTERM. */
const asked = new Promise<'ended'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve('ended'));
});

async function play(): Promise<void> {
  const starting = Playground.start();
  try {
    const playground = await Promise.race([starting, asked]);
    if (playground === 'ended') return;
    const page = await Promise.race([playground.deploy(), playground.managerEnded(), asked]);
    if (page === 'ended') return;
    console.log(whatNext(playground.url, page));
    await Promise.race([playground.managerEnded(), asked]);
  } finally {
    console.log('\n> ending: the manager, the engines and everything on them');
    const started = await starting.catch(() => undefined);
    await started?.[Symbol.asyncDispose]();
  }
}

try {
  await play();
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
