import { afterEach, describe, expect, it } from 'vitest';
import { TaskState } from '../../proto/generated/swarmkit/types_pb.js';
import type { AssignmentsMessage } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import {
  startInProcess,
  taskFixture,
  type InProcess,
  type Reader,
} from '../../test/dispatcher/in-process.ts';
import type { StopGate, Task } from '../model/index.ts';

let swarm: InProcess;
afterEach(() => swarm.stop());

/** Holds tasks back by their ids. */
class Gate implements StopGate {
  readonly held = new Set<string>();
  readonly listeners = new Set<Parameters<StopGate['onMayStop']>[0]>();

  mayStop({ id }: Task): boolean {
    return !this.held.has(id);
  }

  onMayStop(listener: Parameters<StopGate['onMayStop']>[0]): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  free(id: string, nodeId = 'node-1'): void {
    this.held.delete(id);
    for (const listener of this.listeners) listener({ id, nodeId });
  }
}

const SOON_MS = 200;
const running = { ...taskFixture().status, state: 'running' as const };

/** What the agent was told of tasks, in short: `one:running`. */
function told({ messages }: Reader<AssignmentsMessage>): string[] {
  return messages.flatMap(({ changes }) =>
    changes.flatMap(({ assignment }) => {
      const item = assignment?.item;
      return item?.case === 'task' ? `${item.value.id}:${TaskState[item.value.desiredState]}` : [];
    }),
  );
}

async function start(): Promise<{ gate: Gate; agent: Reader<AssignmentsMessage> }> {
  const gate = new Gate();
  swarm = await startInProcess({
    options: { stopGate: gate },
    beforeRun: async (store) => {
      await store.update((tx) => {
        for (const id of ['one', 'two']) tx.create('task', taskFixture({ id, status: running }));
      });
    },
  });
  return { gate, agent: await open() };
}

async function open(): Promise<Reader<AssignmentsMessage>> {
  const session = await swarm.session('node-1');
  return swarm.assignments('node-1', session.last?.sessionId ?? '');
}

async function want(id: string, desiredState: Task['desiredState']): Promise<void> {
  await swarm.store.update((tx) => {
    const task = tx.get('task', id);
    if (task) tx.update('task', { ...task, desiredState });
  });
  await swarm.times.advance(SOON_MS);
}

describe('a task that is to stop and is held back', () => {
  it('is told to its node when it is freed, and others at once', async () => {
    const { gate, agent } = await start();
    gate.held.add('one');
    await want('one', 'shutdown');
    await want('two', 'shutdown');
    expect(told(agent)).toEqual(['one:RUNNING', 'two:RUNNING', 'two:SHUTDOWN']);
    await want('one', 'remove');
    expect(told(agent)).toHaveLength(3);
    gate.free('one');
    await swarm.times.advance(SOON_MS);
    expect(told(agent).slice(3)).toEqual(['one:REMOVE']);
    gate.free('one');
    gate.free('nonesuch');
    gate.free('one', 'nonesuch');
    await swarm.times.advance(SOON_MS);
    expect(told(agent)).toHaveLength(4);
  });

  it('runs for an agent that comes anew, until it is freed', async () => {
    const { gate } = await start();
    gate.held.add('one');
    await want('one', 'shutdown');
    const agent = await open();
    expect(told(agent)).toEqual(['one:RUNNING', 'two:RUNNING']);
    gate.free('one');
    await swarm.times.advance(SOON_MS);
    expect(told(agent).slice(2)).toEqual(['one:SHUTDOWN']);
  });

  it('is forgotten with its row', async () => {
    const { gate, agent } = await start();
    gate.held.add('one');
    await want('one', 'remove');
    await swarm.store.update((tx) => tx.remove('task', 'one'));
    await swarm.times.advance(SOON_MS);
    expect(agent.last?.changes.map(({ assignment }) => assignment?.item.value?.id)).toEqual(['one']);
    gate.free('one');
    await swarm.times.advance(SOON_MS);
    expect(agent.messages).toHaveLength(2);
  });

  it('is listened for only while the dispatcher runs', async () => {
    const { gate } = await start();
    expect(gate.listeners.size).toBe(1);
    await swarm.restart();
    expect(gate.listeners.size).toBe(1);
    await swarm.stop();
    expect(gate.listeners.size).toBe(0);
  });
});
