import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive, until, type Hosts } from '../../test/hosts/index.ts';
import { Swarmd } from '../../test/swarm-mode/swarmd.ts';
import { docker, shown, step } from './show.ts';

const STACK = fileURLToPath(new URL('../stack.yml', import.meta.url));

/** The second half: a swarm of the same hosts. swarmd is on each: the first manages, the others balance. */
export class Services implements AsyncDisposable {
  readonly #hosts: Hosts;
  readonly #swarmds: readonly Swarmd[];
  readonly #swarmd: Swarmd;
  #starting: Promise<unknown> | undefined;

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
    this.#swarmds = [...hosts].map((host) => new Swarmd(host));
    this.#swarmd = this.#swarmds[0] ?? new Swarmd(hosts.at(0));
  }

  get url(): string {
    return `unix://${this.#swarmd.socket}`;
  }

  /** Starts swarmd and makes the swarm. */
  async start(): Promise<void> {
    step(`swarmd -H ${this.url}     (on core-01, and the same on core-02 and core-03)`);
    await (this.#starting = Promise.all(this.#swarmds.map((one) => one.start())));
    const first = this.#hosts.at(0);
    await shown(this.url, 'swarm', 'init', '--advertise-addr', first.ip);
    const token = await docker(this.url, 'swarm', 'join-token', '-q', 'worker');
    step(`docker swarm join --token ${token.slice(0, 13)}… ${first.ip}:2377     (on core-02 and core-03)`);
    await Promise.all(
      this.#swarmds
        .slice(1)
        .map(({ socket }) =>
          docker(`unix://${socket}`, 'swarm', 'join', '--token', token, `${first.ip}:2377`),
        ),
    );
    await until('three nodes', 30_000, async () => {
      const states = await docker(this.url, 'node', 'ls', '--format', '{{.Status}}');
      return states.split('\n').filter((state) => state === 'Ready').length === 3 ? true : undefined;
    });
  }

  /** Deploys the example stack; gives where its web servers answer once all of it runs. */
  async deploy(): Promise<string[]> {
    await shown(this.url, 'stack', 'deploy', '-c', relative(process.cwd(), STACK), 'shop');
    await until('the stack runs', 60_000, async () => {
      const replicas = await docker(this.url, 'service', 'ls', '--format', '{{.Replicas}}');
      return replicas === '3/3\n3/3' ? true : undefined;
    });
    const pages = [...this.#hosts].map(({ ip }) => `http://${ip}:8001/`);
    await until('its pages are there', 30_000, async () => {
      const answers = await Promise.all(
        pages.map((page) => fetch(page, { signal: AbortSignal.timeout(2_000) })),
      );
      return answers.every(({ ok }) => ok) ? true : undefined;
    });
    return pages;
  }

  /** Rejects when swarmd ends by itself, with its last words. */
  async ended(): Promise<never> {
    while (isAlive(this.#swarmd.pid)) await sleep(500, undefined, { ref: false });
    throw new Error(`swarmd ended:\n${this.#swarmd.log.slice(-4000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#starting?.catch(() => undefined);
    await Promise.all(this.#swarmds.map((one) => one.kill()));
  }
}
