import { expect } from 'vitest';
import { engineCall } from '../hosts/engine-api.ts';
import { until } from '../hosts/index.ts';
import type { Seeded } from '../seeded.ts';
import { tasksOf } from './observed.ts';
import type { Swarmd } from './swarmd.ts';

/** A service as its user asked for it; undefined where it is not to be. */
type Wish = { readonly replicas: number; readonly edition: number } | undefined;

interface ServiceJson {
  readonly ID: string;
  readonly Spec: {
    readonly Name: string;
    readonly Mode: { readonly Replicated?: { readonly Replicas: number } };
    readonly TaskTemplate: { readonly ContainerSpec: { readonly Env?: readonly string[] } };
  };
}
interface TaskJson {
  readonly DesiredState: string;
  readonly ServiceID: string;
  readonly Spec: { readonly ContainerSpec: { readonly Env?: readonly string[] } };
}

const NAMES = ['ant', 'bee', 'cat', 'dog', 'eel'];

/** A user of the docker CLI who notes what was acknowledged, and what may or may not have been carried out. */
export class Wishes {
  readonly #swarmd: Swarmd;
  readonly #random: Seeded;
  /** One that was acknowledged last; or two, where the answer to the second never came. */
  readonly #possible = new Map<string, readonly Wish[]>(NAMES.map((name) => [name, [undefined]]));
  #secrets = new Set<string>();
  #made = 0;
  #acknowledged = 0;

  constructor(swarmd: Swarmd, random: Seeded) {
    this.#swarmd = swarmd;
    this.#random = random;
  }

  /** How many commands were carried out as far as their user knows. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The tasks that each service is to have. */
  get replicas(): Record<string, number> {
    return Object.fromEntries(
      [...this.#possible].flatMap(([name, [wish]]) => (wish ? [[name, wish.replicas]] : [])),
    );
  }

  /** One command after the other, until the signal fires or one fails because nobody answers. */
  async utter(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#utterOne())) return;
      this.#acknowledged += 1;
    }
  }

  /** Compares what swarmd says with what was acknowledged; what it says of the rest counts from now on. */
  async check(): Promise<void> {
    const services = await this.#services();
    for (const [name, possible] of this.#possible) {
      const found = wishOf(services.find(({ Spec }) => Spec.Name === name));
      expect(possible, name).toContainEqual(found);
      this.#possible.set(name, [found]);
    }
    const secrets = (await this.#get('/secrets')) as readonly { readonly Spec: { readonly Name: string } }[];
    const names = secrets.map(({ Spec }) => Spec.Name);
    expect(names).toEqual(expect.arrayContaining([...this.#secrets]));
    this.#secrets = new Set(names);
  }

  /** Every task that is to run is one of its service as it is now; those of services that are gone end. */
  async checkTasks(): Promise<void> {
    const services = await this.#services();
    for (const { ServiceID, DesiredState, Spec } of (await this.#get('/tasks')) as readonly TaskJson[]) {
      if (DesiredState !== 'running') continue;
      const service = services.find(({ ID }) => ID === ServiceID);
      expect(Spec.ContainerSpec.Env).toEqual(service?.Spec.TaskTemplate.ContainerSpec.Env);
    }
    // Those of services that were removed end when connections to them have had their time.
    await until('no task is left of a service that is gone', 30_000, async () => {
      const left = (await tasksOf(this.#swarmd)).filter(({ service }) => service === '');
      return left.length === 0 ? true : undefined;
    });
  }

  async removeAll(): Promise<void> {
    for (const name of Object.keys(this.replicas)) {
      await this.#swarmd.docker('service', 'rm', name);
      this.#possible.set(name, [undefined]);
    }
    for (const name of this.#secrets) await this.#swarmd.docker('secret', 'rm', name);
  }

  /** False when no answer came. */
  async #utterOne(): Promise<boolean> {
    const name = this.#random.pick(NAMES);
    const [wish] = this.#possible.get(name) ?? [];
    const edition = ++this.#made;
    const replicas = this.#random.whole(0, 4);
    if (!wish) return this.#say(name, { replicas, edition }, create(name, replicas, edition));
    switch (this.#random.pick(['scale', 'scale', 'update', 'update', 'remove', 'secret'])) {
      case 'scale':
        return this.#say(name, { ...wish, replicas }, ['service', 'scale', '-d', `${name}=${replicas}`]);
      case 'update':
        return this.#say(name, { ...wish, edition }, [
          ...['service', 'update', '-d', '--no-resolve-image', '--update-parallelism', '2'],
          ...['--env-add', `EDITION=${edition}`, name],
        ]);
      case 'remove':
        return this.#say(name, undefined, ['service', 'rm', name]);
      default: {
        const args = ['secret', 'create', `secret-${edition}`, '-'];
        const { code } = await this.#swarmd.tryDocker(args, { input: 'hush' });
        if (code === 0) this.#secrets.add(`secret-${edition}`);
        return code === 0;
      }
    }
  }

  async #say(name: string, next: Wish, args: readonly string[]): Promise<boolean> {
    const before = this.#possible.get(name) ?? [];
    this.#possible.set(name, [...before, next]);
    const { code, stderr } = await this.#swarmd.tryDocker(args);
    if (code === 0) this.#possible.set(name, [next]);
    else if (stderr.includes('update out of sequence')) {
      // swarmd wrote down how an update gets on, between the two calls that the CLI makes.
      this.#possible.set(name, before);
      return true;
    } else if (!/EOF|connect|reset/i.test(stderr)) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
    return code === 0;
  }

  async #services(): Promise<readonly ServiceJson[]> {
    return (await this.#get('/services')) as readonly ServiceJson[];
  }

  #get(path: string): Promise<unknown> {
    return engineCall(this.#swarmd.socket, 'GET', path);
  }
}

function create(name: string, replicas: number, edition: number): string[] {
  const options = ['-d', '--no-resolve-image', '--restart-delay', '100ms', '--update-monitor', '100ms'];
  return [
    ...['service', 'create', ...options, '--replicas', `${replicas}`, '--env', `EDITION=${edition}`],
    ...['--name', name, 'nginx'],
  ];
}

function wishOf(service: ServiceJson | undefined): Wish {
  if (!service) return undefined;
  const { Mode, TaskTemplate } = service.Spec;
  const edition = Number(TaskTemplate.ContainerSpec.Env?.[0]?.split('=')[1]);
  return { replicas: Mode.Replicated?.Replicas ?? -1, edition };
}
