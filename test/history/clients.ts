import { setTimeout as sleep } from 'node:timers/promises';
import type { Seeded } from '../seeded.ts';
import type { Recorder } from './recorder.ts';
import { MARK, type Raw, type Spec } from './shapes.ts';

export interface ClientOptions {
  readonly recorder: Recorder;
  readonly managers: number;
  /** The overlay network of all services. */
  readonly network: string;
  readonly random: Seeded;
  readonly signal: AbortSignal;
}

/** Few names and ports, so that clients get in each other's way. */
const SERVICES = ['ant', 'bee', 'cat', 'dog', 'elk'];
const SECRETS = ['key', 'pin', 'pass'];
const PORTS = [18_001, 18_002, 18_003];
const MOST_REPLICAS = 2;
const PAUSE_MS = [50, 400] as const;
const READ_MS = 500;

/** Writes and reads through whichever manager comes next, until the signal fires. Never rejects for what it is told. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { random, signal } = options;
  while (!signal.aborted) {
    const isService = random.next() < 0.7;
    await (isService ? service(options) : secret(options));
    await sleep(random.whole(...PAUSE_MS));
  }
}

/** Reads all that a manager shows, again and again, until the signal fires. */
export async function runReader(recorder: Recorder, manager: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const table of ['service', 'secret', 'task'] as const) await recorder.list(manager, table);
    await sleep(READ_MS);
  }
}

/** The one that lists may be another one than the one that is asked to write, and behind it. */
async function service(options: ClientOptions): Promise<void> {
  const { recorder, random } = options;
  const raw = await recorder.list(anyManager(options), 'service');
  const mark = recorder.mark();
  const manager = anyManager(options);
  const dice = random.next();
  if (raw === undefined || raw.length === 0 || dice < 0.3) {
    const wish = { kind: 'create', table: 'service', mark } as const;
    await recorder.write(manager, wish, 'POST', '/v1.41/services/create', newService(options, mark));
    return;
  }
  const chosen = random.pick(raw);
  const of = { table: 'service', id: chosen.ID, mark } as const;
  if (dice < 0.42) {
    await recorder.write(manager, { kind: 'remove', ...of }, 'DELETE', `/v1.41/services/${of.id}`);
    return;
  }
  const base = chosen.Version.Index;
  const path = `/v1.41/services/${of.id}/update?version=${base}`;
  await recorder.write(manager, { kind: 'update', ...of, base }, 'POST', path, changed(chosen, random, mark));
}

async function secret(options: ClientOptions): Promise<void> {
  const { recorder, random } = options;
  const raw = await recorder.list(anyManager(options), 'secret');
  const mark = recorder.mark();
  const manager = anyManager(options);
  const dice = random.next();
  if (raw === undefined || raw.length === 0 || dice < 0.3) {
    const spec = { Name: random.pick(SECRETS), Labels: { [MARK]: mark }, Data: btoa(mark) };
    const wish = { kind: 'create', table: 'secret', mark } as const;
    await recorder.write(manager, wish, 'POST', '/v1.41/secrets/create', spec);
    return;
  }
  const chosen = random.pick(raw);
  const of = { table: 'secret', id: chosen.ID, mark } as const;
  if (dice < 0.5) {
    await recorder.write(manager, { kind: 'remove', ...of }, 'DELETE', `/v1.41/secrets/${of.id}`);
    return;
  }
  const base = chosen.Version.Index;
  const spec = { ...chosen.Spec, Labels: { [MARK]: mark } };
  const path = `/v1.41/secrets/${of.id}/update?version=${base}`;
  await recorder.write(manager, { kind: 'update', ...of, base }, 'POST', path, spec);
}

function newService({ random, network }: ClientOptions, mark: string): unknown {
  // A port of its own choice, one that the swarm chooses, or none.
  const ports = random.pick([...PORTS.map((PublishedPort) => [{ PublishedPort }]), [{}], []]);
  return {
    Name: random.pick(SERVICES),
    Labels: { [MARK]: mark },
    TaskTemplate: {
      ContainerSpec: {
        Image: 'busybox',
        Command: ['sleep', '100000'],
        Env: [`ROUND=${mark}`],
        StopSignal: 'SIGKILL',
      },
      RestartPolicy: { Condition: 'any', Delay: 100_000_000 },
      Networks: random.next() < 0.7 ? [{ Target: network }] : [],
    },
    Mode: { Replicated: { Replicas: random.whole(1, MOST_REPLICAS) } },
    UpdateConfig: { Parallelism: 0, Monitor: 100_000_000, FailureAction: 'continue' },
    EndpointSpec: { Ports: ports.map((port) => ({ Protocol: 'tcp', TargetPort: 80, ...port })) },
  };
}

/** As it is, but for its mark and how many tasks it asks for; now and then with tasks that differ. */
function changed({ Spec: spec }: Raw, random: Seeded, mark: string): Spec {
  const replicas = random.whole(0, MOST_REPLICAS);
  const template = spec.TaskTemplate;
  const rolls = template !== undefined && random.next() < 0.25;
  return {
    ...spec,
    Labels: { [MARK]: mark },
    Mode: { Replicated: { Replicas: replicas } },
    ...(rolls
      ? {
          TaskTemplate: {
            ...template,
            ContainerSpec: { ...template.ContainerSpec, Env: [`ROUND=${mark}`] },
          },
        }
      : {}),
  };
}

function anyManager({ random, managers }: ClientOptions): number {
  return random.whole(0, managers - 1);
}
