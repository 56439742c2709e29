import { Code } from '@connectrpc/connect';
import { afterEach, describe, expect, it } from 'vitest';
import { startInProcess, taskFixture, type InProcess } from '../../test/dispatcher/in-process.ts';
import type { NetworkSpec, Task } from '../model/index.ts';

const CONTAINER = 'c'.repeat(64);

let swarm: InProcess | undefined;
afterEach(() => swarm?.stop());

async function start(): Promise<InProcess> {
  swarm = await startInProcess({ nodes: 2 });
  const network = (name: string, attachable: boolean): NetworkSpec => ({
    ...{ annotations: { name, labels: {} }, ipv6: false, internal: false, attachable },
    ...{ ingress: false, configOnly: false, nodeLocal: false },
  });
  await swarm.store.update((tx) => {
    tx.create('network', { id: 'open-id', spec: network('open', true) });
    tx.create('network', { id: 'services-id', spec: network('services', false) });
  });
  return swarm;
}

/** The only task there is. */
function onlyTask({ store }: InProcess): Task {
  const [task, ...more] = store.view.all('task');
  if (!task || more.length > 0) throw new Error(`${more.length} more tasks`);
  return task;
}

async function change({ store }: InProcess, id: string, more: Partial<Task>): Promise<void> {
  await store.update((tx) => {
    const task = tx.get('task', id);
    if (task) tx.update('task', { ...task, ...more });
  });
}

/** A request under way, and how it ended. */
function ask(
  swarm: InProcess,
  target: string,
  addresses: string[] = [],
  signal?: AbortSignal,
  containerId = CONTAINER,
) {
  const request = { config: { target, addresses }, containerId };
  const answer = { id: '', error: undefined as { code: Code; rawMessage: string } | undefined };
  const done = swarm
    .resources('node-1')
    .attachNetwork(request, signal ? { signal } : {})
    .then(
      ({ attachmentId }) => void (answer.id = attachmentId),
      (error: unknown) => void (answer.error = error as typeof answer.error),
    );
  return { answer, done };
}

describe('a container that is no task', () => {
  it('gets a task for the network, and is answered when its node can be told of it', async () => {
    const swarm = await start();
    const { answer, done } = ask(swarm, 'open', ['10.0.1.7']);
    await swarm.times.settle();
    const task = onlyTask(swarm);
    expect(task).toMatchObject({
      ...{ serviceId: '', slot: 0, nodeId: 'node-1', desiredState: 'running' },
      status: { state: 'new', message: 'created' },
      spec: {
        attachment: { containerId: CONTAINER },
        networks: [{ target: 'open-id', addresses: ['10.0.1.7'] }],
      },
    });
    const networks = [{ networkId: 'open-id', addresses: ['10.0.1.7/24'], aliases: [], driverOptions: {} }];
    await change(swarm, task.id, { networks, status: { ...task.status, state: 'assigned' } });
    await swarm.times.settle();
    expect(answer.id).toBe('');
    await swarm.store.update((tx) => {
      const node = tx.get('node', 'node-1');
      if (node) tx.update('node', { ...node, attachments: networks });
    });
    await done;
    expect(answer).toEqual({ id: task.id, error: undefined });
    await swarm.resources('node-1').detachNetwork({ attachmentId: task.id });
    expect([...swarm.store.view.all('task')]).toEqual([]);
  });

  it('is told what stands in the way, but not of what goes in a moment', async () => {
    const swarm = await start();
    const { answer, done } = ask(swarm, 'open-id', ['10.0.1.7']);
    await swarm.times.settle();
    const { id, status } = onlyTask(swarm);
    await change(swarm, id, { status: { ...status, err: 'Address already in use' } });
    await swarm.times.advance(300);
    expect(answer.error).toBeUndefined();
    await swarm.times.advance(300);
    await done;
    expect(answer.error).toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: 'Address already in use',
    });
    expect([...swarm.store.view.all('task')]).toEqual([]);
  });

  it('that comes back is not held up by its former place, which its agent gives back after the answer', async () => {
    const swarm = await start();
    const first = ask(swarm, 'open', ['10.0.1.7']);
    await swarm.times.advance(1_000);
    await first.done;
    const { status } = onlyTask(swarm);
    const again = ask(swarm, 'open', ['10.0.1.7']);
    await again.done;
    expect(again.answer.id).not.toBe('');
    await change(swarm, again.answer.id, { status: { ...status, err: 'Address already in use' } });
    await swarm.resources('node-1').detachNetwork({ attachmentId: first.answer.id });
    expect(onlyTask(swarm).id).toBe(again.answer.id);
  });

  it('waits by itself where nobody knows a reason, and leaves nothing when it gives up', async () => {
    const swarm = await start();
    const patient = ask(swarm, 'open');
    await swarm.times.advance(4_000);
    await patient.done;
    expect(patient.answer).toEqual({ id: onlyTask(swarm).id, error: undefined });
    await swarm.resources('node-1').detachNetwork({ attachmentId: patient.answer.id });
    const gone = new AbortController();
    const other = ask(swarm, 'open', [], gone.signal);
    await swarm.times.settle();
    expect(onlyTask(swarm).nodeId).toBe('node-1');
    gone.abort();
    await other.done;
    await swarm.times.settle();
    expect([...swarm.store.view.all('task')]).toEqual([]);
  });

  it.each([
    ['none', Code.NotFound, 'network none not found'],
    ['services', Code.PermissionDenied, 'network services not manually attachable'],
    ['', Code.InvalidArgument, 'invalid argument'],
  ])('is refused the network %j in SwarmKit’s words', async (target, code, rawMessage) => {
    const swarm = await start();
    const { answer, done } = ask(swarm, target);
    await done;
    expect(answer.error).toMatchObject({ code, rawMessage });
    expect([...swarm.store.view.all('task')]).toEqual([]);
  });

  it.each([
    ['no network at all', { containerId: CONTAINER }],
    ['no container', { config: { target: 'open' }, containerId: '' }],
    ['a container that is none', { config: { target: 'open' }, containerId: 'a\nb' }],
    [
      'an address that is none',
      { config: { target: 'open', addresses: ['10.0.1'] }, containerId: CONTAINER },
    ],
    [
      'too many addresses',
      {
        config: { target: 'open', addresses: Array.from({ length: 9 }, () => '10.0.1.1') },
        containerId: CONTAINER,
      },
    ],
  ])('is refused with %s', async (_, request) => {
    const swarm = await start();
    await expect(swarm.resources('node-1').attachNetwork(request)).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
    expect([...swarm.store.view.all('task')]).toEqual([]);
  });

  it('can take no more at a time than a host has containers', async () => {
    const swarm = await start();
    const many = Array.from({ length: 257 }, (_, i) => ask(swarm, 'open', [], undefined, `c${i}`));
    await swarm.times.settle();
    await swarm.times.advance(4_000);
    await Promise.all(many.map(({ done }) => done));
    expect(many.filter(({ answer }) => answer.error?.code === Code.ResourceExhausted)).toHaveLength(1);
    expect(swarm.store.view.count('task')).toBe(256);
  });
});

describe('a place that is given back', () => {
  it('is its own node’s, and no task of a service', async () => {
    const swarm = await start();
    const task = taskFixture({
      serviceId: '',
      spec: { attachment: { containerId: 'c' }, networks: [], forceUpdate: 0 },
    });
    const service = taskFixture();
    await swarm.store.update((tx) => {
      tx.create('task', task);
      tx.create('task', service);
    });
    const detach = (nodeId: string, attachmentId: string) =>
      swarm.resources(nodeId).detachNetwork({ attachmentId });
    await expect(detach('node-2', task.id)).rejects.toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: `attachment ${task.id} doesn't belong to this node`,
    });
    const unknown = { code: Code.NotFound, rawMessage: `attachment ${service.id} not found` };
    await expect(detach('node-1', service.id)).rejects.toMatchObject(unknown);
    await expect(detach('node-1', '')).rejects.toMatchObject({ code: Code.InvalidArgument });
    await detach('node-1', task.id);
    await expect(detach('node-1', task.id)).rejects.toMatchObject({ code: Code.NotFound });
    expect(swarm.store.view.count('task')).toBe(1);
  });

  it('is taken from nobody while the manager does not run', async () => {
    const swarm = await start();
    await swarm.stop();
    const request = { config: { target: 'open' }, containerId: CONTAINER };
    await expect(swarm.resources('node-1').attachNetwork(request)).rejects.toMatchObject({
      code: Code.Aborted,
    });
  });
});
