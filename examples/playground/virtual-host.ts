import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until, type Hosts } from '../../test/hosts/index.ts';
import { docker, shown, step } from './show.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The first half: `swarm manage` over the hosts, which makes one Docker of them. */
export class VirtualHost implements AsyncDisposable {
  readonly url: string;
  readonly #hosts: Hosts;
  readonly #manager: ChildProcess;
  #said = '';

  /** Starts the manager at this port of 127.0.0.1. */
  constructor(hosts: Hosts, port: number) {
    this.url = `tcp://127.0.0.1:${port}`;
    this.#hosts = hosts;
    const args = ['manage', '-H', this.url, '--strategy', 'spread', `nodes://${hosts.addresses}`];
    step(`swarm ${args.join(' ')}`);
    // A session of its own: Ctrl-C reaches the playground alone, which ends the manager in order.
    this.#manager = spawn(here('../../bin/swarm'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const keep = (chunk: Buffer): void => {
      this.#said = (this.#said + chunk.toString()).slice(-4000);
    };
    this.#manager.stdout?.on('data', keep);
    this.#manager.stderr?.on('data', keep);
  }

  /** Rejects when the manager ends by itself, with its last words. */
  async ended(): Promise<never> {
    if (this.#manager.exitCode === null && this.#manager.signalCode === null)
      await once(this.#manager, 'exit');
    throw new Error(`swarm manage ended:\n${this.#said}`);
  }

  /** Builds and starts the example; gives the address of its page once that is there. */
  async deploy(): Promise<string> {
    await until('three healthy nodes', 30_000, async () => {
      const info = await docker(this.url, 'info');
      return info.split('Status: Healthy').length > 3 ? true : undefined;
    });
    const where = 'constraint:node==core-01';
    const folder = relative(process.cwd(), here('../app'));
    await shown(this.url, 'build', '-q', '--build-arg', where, '-t', 'example', folder);
    await shown(this.url, 'run', '-d', '--name', 'web', '-p', '80:80', '-e', where, 'example');
    await shown(this.url, 'run', '-d', '--name', 'cache', '-e', 'affinity:container==web', 'redis');
    const page = `http://${this.#hosts.at(0).ip}/`;
    await until('the example answers', 10_000, async () => {
      const answer = await fetch(page, { signal: AbortSignal.timeout(1_000) });
      return (await answer.text()).includes('Hello from the swarm') ? true : undefined;
    });
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#manager, 'exit');
    if (this.#manager.kill('SIGTERM')) await Promise.race([ended, sleep(2_000, undefined, { ref: false })]);
    this.#manager.kill('SIGKILL');
  }
}
