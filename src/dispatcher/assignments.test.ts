import { afterEach, describe, expect, it } from 'vitest';
import {
  AssignmentChange_AssignmentAction as Action,
  AssignmentsMessage_Type as Type,
  type AssignmentsMessage,
} from '../../proto/generated/swarmkit/dispatcher_pb.js';
import {
  startInProcess,
  taskFixture,
  type InProcess,
  type InProcessOptions,
  type Reader,
} from '../../test/dispatcher/in-process.ts';
import { containerFixture } from '../../test/simulation/index.ts';
import type { Task, TaskSpec, TaskState } from '../model/index.ts';

let swarm: InProcess | undefined;
afterEach(() => swarm?.stop());

async function start(wishes: InProcessOptions = {}): Promise<InProcess> {
  swarm = await startInProcess(wishes);
  return swarm;
}

/** What a message says, in short: `+task:id`, `-secret:id`. */
function said(message: AssignmentsMessage | undefined): string[] {
  return (message?.changes ?? []).map(({ action, assignment }) => {
    const item = assignment?.item;
    return `${action === Action.UPDATE ? '+' : '-'}${item?.case ?? ''}:${item?.value?.id ?? ''}`;
  });
}

const link = ({ messages }: Reader<AssignmentsMessage>): string[] =>
  messages.map(
    ({ type, appliesTo, resultsIn }) =>
      `${type === Type.COMPLETE ? 'all' : 'more'} ${appliesTo}>${resultsIn}`,
  );

async function open(one: InProcess, nodeId = 'node-1'): Promise<Reader<AssignmentsMessage>> {
  const session = await one.session(nodeId);
  return one.assignments(nodeId, session.last?.sessionId ?? '');
}

const inState = (state: TaskState): Task['status'] => ({ ...taskFixture().status, state });

function using(secrets: string[], configs: string[] = []): TaskSpec {
  const file = { name: 'f', uid: '0', gid: '0', mode: 0o444 };
  const container = containerFixture({
    secrets: secrets.map((id) => ({ id, name: id, file })),
    configs: configs.map((id) => ({ id, name: id, file })),
  });
  return { container, networks: [], forceUpdate: 0 };
}

/** Writes, lets what follows happen, and returns what the agent was told by it. */
async function after(
  { store, times }: InProcess,
  reader: Reader<AssignmentsMessage>,
  change: Parameters<InProcess['store']['update']>[0],
): Promise<string[][]> {
  const before = reader.messages.length;
  await store.update(change);
  await times.advance(100);
  return reader.messages.slice(before).map(said);
}

const edit =
  (id: string, change: (task: Task) => Partial<Task>): Parameters<InProcess['store']['update']>[0] =>
  (tx) => {
    const task = tx.get('task', id);
    if (task) tx.update('task', { ...task, ...change(task) });
  };

const WEB = {
  id: 'web',
  spec: {
    annotations: { name: 'web', labels: {} },
    ...{
      ipv6: false,
      internal: false,
      attachable: false,
      ingress: false,
      configOnly: false,
      nodeLocal: false,
    },
  },
  allocated: {
    driver: { name: 'overlay', options: {} },
    ipam: { driver: { name: 'default', options: {} }, configs: [] },
  },
};
const onWeb = (address: string) => ({
  networkId: 'web',
  addresses: [address],
  aliases: [],
  driverOptions: {},
});

const makeData = async ({ store }: InProcess, ...names: string[]): Promise<void> => {
  const spec = (name: string) => ({ annotations: { name, labels: {} }, data: Buffer.from(name) });
  await store.update((tx) => {
    for (const name of names)
      tx.create(name.startsWith('c') ? 'config' : 'secret', { id: name, spec: spec(name) });
  });
};

describe('assignments', () => {
  it('begin with everything that was ever assigned, ended tasks without their secrets', async () => {
    const one = await start({ nodes: 2 });
    await makeData(one, 's1', 's2', 'c1');
    await one.store.update((tx) => {
      tx.create('task', taskFixture({ id: 'a', spec: using(['s1'], ['c1']), status: inState('running') }));
      tx.create('task', taskFixture({ id: 'b', spec: using(['s1']) }));
      tx.create('task', taskFixture({ id: 'ended', spec: using(['s2']), status: inState('failed') }));
      tx.create('task', taskFixture({ id: 'early', status: inState('pending') }));
      tx.create('task', taskFixture({ id: 'elsewhere', nodeId: 'node-2' }));
    });
    const reader = await open(one);
    expect(link(reader)).toEqual(['all >1']);
    expect(said(reader.last)).toEqual(['+secret:s1', '+config:c1', '+task:a', '+task:b', '+task:ended']);
    const [secret] = reader.last?.changes ?? [];
    expect(secret?.assignment?.item.value).toMatchObject({
      spec: { data: new Uint8Array(Buffer.from('s1')) },
    });
  });

  it('go on with what changes, each message on top of the one before it', async () => {
    const one = await start();
    await makeData(one, 's1', 'c1');
    const reader = await open(one);
    expect(said(reader.last)).toEqual([]);
    expect(
      await after(one, reader, (tx) =>
        tx.create('task', taskFixture({ id: 'a', spec: using(['s1'], ['c1']) })),
      ),
    ).toEqual([['+secret:s1', '+config:c1', '+task:a']]);
    expect(
      await after(one, reader, (tx) => tx.create('task', taskFixture({ id: 'b', spec: using(['s1']) }))),
    ).toEqual([['+task:b']]);
    expect(
      await after(
        one,
        reader,
        edit('a', () => ({ desiredState: 'shutdown' })),
      ),
    ).toEqual([['+task:a']]);
    expect(
      await after(
        one,
        reader,
        edit('a', () => ({ status: inState('shutdown') })),
      ),
    ).toEqual([['-config:c1']]);
    expect(await after(one, reader, (tx) => tx.remove('task', 'a'))).toEqual([['-task:a']]);
    expect(await after(one, reader, (tx) => tx.remove('task', 'b'))).toEqual([['-task:b', '-secret:s1']]);
    expect(link(reader)).toEqual([
      'all >1',
      'more 1>2',
      'more 2>3',
      'more 3>4',
      'more 4>5',
      'more 5>6',
      'more 6>7',
    ]);
  });

  it('tell nobody his own word, nor what is not his', async () => {
    const one = await start({ nodes: 2 });
    const reader = await open(one);
    expect(
      await after(one, reader, (tx) =>
        tx.create('task', taskFixture({ id: 'a', status: inState('pending') })),
      ),
    ).toEqual([]);
    expect(
      await after(
        one,
        reader,
        edit('a', () => ({ status: inState('assigned') })),
      ),
    ).toEqual([['+task:a']]);
    for (const state of ['accepted', 'ready', 'running'] as const)
      expect(
        await after(
          one,
          reader,
          edit('a', () => ({ status: inState(state) })),
        ),
      ).toEqual([]);
    expect(await after(one, reader, (tx) => tx.create('task', taskFixture({ nodeId: 'node-2' })))).toEqual(
      [],
    );
    expect(await after(one, reader, (tx) => tx.create('task', taskFixture({ nodeId: '' })))).toEqual([]);
  });

  it('keep a task back until its node was told of its address on the network', async () => {
    const one = await start();
    await one.store.update((tx) => tx.create('network', WEB));
    const session = await one.session('node-1');
    const reader = await one.assignments('node-1', session.last?.sessionId ?? '');
    const networks = [onWeb('10.0.1.5/24')];
    const waiting = await after(one, reader, (tx) => {
      tx.create('task', taskFixture({ id: 'a', networks }));
      tx.create('task', taskFixture({ id: 'b', networks }));
      tx.create('task', taskFixture({ id: 'plain' }));
      // What its agent has already, or only has to end, waits for nothing.
      tx.create('task', taskFixture({ id: 'had', networks, status: inState('running') }));
      tx.create('task', taskFixture({ id: 'unwanted', networks, desiredState: 'shutdown' }));
    });
    expect(waiting).toEqual([['+task:plain', '+task:had', '+task:unwanted']]);
    expect(await after(one, reader, (tx) => tx.remove('task', 'b'))).toEqual([]);
    const sent = session.messages.length;
    const now = await after(one, reader, (tx) => {
      const node = tx.get('node', 'node-1');
      if (node) tx.update('node', { ...node, attachments: [onWeb('10.0.1.2/24')] });
    });
    expect(session.messages.slice(sent).map(({ node }) => node?.attachments[0]?.addresses)).toEqual([
      ['10.0.1.2/24'],
    ]);
    expect(now).toEqual([['+task:a']]);
    // Once sent it stays sent, and a new stream of the same agent begins with it.
    const again = await one.assignments('node-1', session.last?.sessionId ?? '');
    expect(said(again.last)).toContain('+task:a');
  });

  it('gather what comes together, and tell the last of it', async () => {
    const one = await start();
    const reader = await open(one);
    for (let number = 0; number < 300; number++)
      await one.store.update((tx) => tx.create('task', taskFixture({ id: `t${number}` })));
    for (let number = 0; number < 300; number++)
      await one.store.update(edit(`t${number}`, () => ({ desiredState: 'shutdown' })));
    await one.store.update((tx) => tx.remove('task', 't0'));
    await one.times.advance(1000);
    expect(reader.messages.length).toBeLessThan(5);
    const all = reader.messages.flatMap(({ changes }) => changes);
    expect(all.length).toBeLessThan(700);
    const last = new Map(all.map(({ assignment }) => [assignment?.item.value?.id, assignment?.item.value]));
    expect(last.get('t299')).toMatchObject({ desiredState: 640 });
  });

  it('keep a secret that passes from one task to another', async () => {
    const one = await start();
    await makeData(one, 's1');
    const reader = await open(one);
    await after(one, reader, (tx) => tx.create('task', taskFixture({ id: 'a', spec: using(['s1']) })));
    const swapped = await after(one, reader, (tx) => {
      tx.create('task', taskFixture({ id: 'b', spec: using(['s1']) }));
      tx.remove('task', 'a');
    });
    expect(swapped.flat().sort()).toEqual(['+task:b', '-task:a']);
  });

  it('leave out a task that can not be sent, and say so in the log', async () => {
    const one = await start();
    await makeData(one, 's1');
    await one.store.update((tx) =>
      tx.create('task', taskFixture({ id: 'bad', slot: -1, spec: using(['s1']) })),
    );
    const reader = await open(one);
    expect(said(reader.last)).toEqual([]);
    expect(one.lines.join('')).toContain('a task can not be sent to its node');
    expect(await after(one, reader, (tx) => tx.create('task', taskFixture({ id: 'good' })))).toEqual([
      ['+task:good'],
    ]);
    expect(
      await after(
        one,
        reader,
        edit('bad', () => ({ slot: 1 })),
      ),
    ).toEqual([['+secret:s1', '+task:bad']]);
    expect(reader.ended).toBeUndefined();
  });

  it('go without secrets that are gone or that a driver keeps', async () => {
    const one = await start();
    await one.store.update((tx) => {
      const spec = { annotations: { name: 'd', labels: {} }, data: new Uint8Array() };
      tx.create('secret', { id: 'd', spec: { ...spec, driver: { name: 'vault', options: {} } } });
      tx.create('task', taskFixture({ id: 'a', spec: using(['d', 'gone']) }));
    });
    expect(said((await open(one)).last)).toEqual(['+task:a']);
  });

  it('need a session, and one stream is enough for it', async () => {
    const one = await start();
    const none = await one.assignments('node-1', 'x');
    expect(none.ended?.message).toContain('node not registered');
    const session = await one.session('node-1');
    expect((await one.assignments('node-1', 'x')).ended?.message).toContain('session invalid');
    const first = await one.assignments('node-1', session.last?.sessionId ?? '');
    const second = await one.assignments('node-1', session.last?.sessionId ?? '');
    expect(first.ended?.message).toContain('session invalid');
    expect(await after(one, second, (tx) => tx.create('task', taskFixture({ id: 'a' })))).toEqual([
      ['+task:a'],
    ]);
    expect(first.messages).toHaveLength(1);
  });

  it('end with the session of an agent that does not read', async () => {
    const one = await start({ options: { waits: { unreadMs: 5000 } } });
    const session = await one.session('node-1');
    const sessionId = session.last?.sessionId ?? '';
    const stream = one.agent('node-1').assignments({ sessionId });
    const unread = stream[Symbol.asyncIterator]();
    await unread.next();
    for (let second = 0; second < 8; second++) {
      await one.store.update((tx) => tx.create('task', taskFixture()));
      await one.times.advance(1000);
      await one
        .agent('node-1')
        .heartbeat({ sessionId })
        .catch(() => undefined);
    }
    expect(session.ended?.message).toContain('session invalid');
    expect(one.lines.join('')).toContain('an agent does not read what it is sent');
    expect(one.store.view.get('node', 'node-1')?.status.state).not.toBe('unknown');
  });
});
