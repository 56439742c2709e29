import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SYSTEM_TIMES } from '../base/clock.ts';
import { SwarmError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { createLog } from '../base/log.ts';
import { createCluster, DEFAULT_CLUSTER_SPEC, fetchRoot, issueManagerCertificate } from '../ca/index.ts';
import { newManagerNode, type Cluster } from '../model/index.ts';
import { memoryBackend, openStore, soleLead, type Store } from '../store/index.ts';
import { connectJoining, connectManagers } from '../swarmkit/index.ts';
import type { CaredSwarm } from './leading.ts';
import { startManager, type Manager } from './manager.ts';
import type { StoreAccess, StoreMember } from './managers-service.ts';

/** A manager over a state in memory, with its port on loopback, and joiners that come to it. */
const OWN = newId();
const CANDIDATE = { addr: '10.0.0.2:2377', etcdVersion: '', storeClusterId: 'same', layout: 1, version: '1' };
const OTHER_STORE = 'the other managers keep the state elsewhere';

let store: Store;
let manager: Manager;
let addr: string;
/** What hosts are let in with; undefined where they know it by themselves. */
let access: StoreAccess | undefined;
/** As the store's keeper sees the swarm. */
let cared: CaredSwarm | undefined;
/** Added to the time that has passed. */
let laterMs = 0;
const times = {
  ...SYSTEM_TIMES,
  nowMs: () => performance.now() + laterMs,
  wallMs: () => Date.now() + laterMs,
};

beforeEach(async () => {
  const log = createLog('fatal');
  access = cared = undefined;
  store = await openStore(memoryBackend(), {
    nowMs: () => Date.now(),
    onFault: (error) => {
      throw error;
    },
  });
  const cluster = await createCluster({ spec: DEFAULT_CLUSTER_SPEC, dataPathPort: 4789 }, Date.now());
  await store.update((tx) => {
    tx.create('cluster', cluster);
    tx.create('node', newManagerNode({ id: OWN, addr: '127.0.0.1:2377', availability: 'active' }));
  });
  const objection = ({ storeClusterId }: { storeClusterId: string }): string | undefined =>
    storeClusterId === 'same' ? undefined : OTHER_STORE;
  manager = await startManager(
    { store, times, log },
    {
      nodeId: OWN,
      listen: { host: '127.0.0.1', port: 0 },
      lead: soleLead({ id: OWN, addr: '127.0.0.1:2377' }),
      takeOver: () => Promise.resolve(),
      keeping: {
        objection,
        admit: (_id, candidate) => {
          const why = objection(candidate);
          return why === undefined
            ? Promise.resolve(access)
            : Promise.reject(new SwarmError('conflict', why));
        },
        release: () => Promise.resolve(),
        care: (swarm) => {
          cared = swarm;
          return Promise.resolve();
        },
      },
      there: { all: () => [], listen: () => () => undefined },
      onApi: (_request, response) => void response.destroy(),
    },
  );
  await manager.untilLeading(AbortSignal.timeout(10_000));
  addr = `127.0.0.1:${manager.port}`;
});

afterEach(async () => {
  await manager.close();
  await store.close();
});

const tokens = () => store.view.cluster()?.rootCa.joinTokens ?? { manager: '', worker: '' };

async function join(request: { token?: string; nodeId?: string; candidate?: Partial<typeof CANDIDATE> }) {
  const rootPem = await fetchRoot(addr, tokens().manager);
  const link = connectJoining(addr, rootPem);
  const { token = tokens().manager, nodeId = newId() } = request;
  const candidate = { ...CANDIDATE, ...request.candidate };
  try {
    return await link.client.join({ token, nodeId, candidate, availability: 'drain' });
  } finally {
    link.close();
  }
}

test('the manager token makes a manager, and the same request again the same one', async () => {
  const nodeId = newId();
  const answer = await join({ nodeId });
  expect(answer).toMatchObject({ nodeId, clusterId: store.view.cluster()?.id });
  expect(answer.engineToken).toMatch(/^SWMTKN-1-/);
  expect(store.view.get('node', nodeId)).toMatchObject({
    role: 'manager',
    managerAddr: CANDIDATE.addr,
    spec: { role: 'manager', availability: 'drain' },
  });
  expect(await join({ nodeId })).toMatchObject({ nodeId });
  expect(store.view.count('node')).toBe(2);
});

test('what a joiner at the same address left that never came goes', async () => {
  const [left, other] = [newId(), newId()];
  await join({ nodeId: left });
  await join({ nodeId: other, candidate: { addr: '10.0.0.3:2377' } });
  const nodeId = newId();
  await join({ nodeId });
  expect([...store.view.all('node')].map(({ id }) => id).sort()).toEqual([OWN, other, nodeId].sort());
});

test('the token of workers makes no manager', async () => {
  expect(await join({ token: tokens().worker })).toMatchObject({ nodeId: '', engineToken: '' });
  expect(store.view.count('node')).toBe(1);
});

test.each([
  ['a token that is none', { token: 'SWMTKN-1-x' }, Code.InvalidArgument, 'A valid join token is necessary'],
  ['an id that is none', { nodeId: '../../x' }, Code.InvalidArgument, 'a node id has 25'],
  ['the id of a node that is there', { nodeId: OWN }, Code.FailedPrecondition, 'part of this swarm already'],
  ['an address that is none', { candidate: { addr: 'x' } }, Code.InvalidArgument, 'no address of a manager'],
  [
    'a swarmd that cannot read the state',
    { candidate: { layout: 0 } },
    Code.FailedPrecondition,
    'is too old',
  ],
  ['another store', { candidate: { storeClusterId: '' } }, Code.FailedPrecondition, OTHER_STORE],
])('%s is refused, and nothing is left', async (_what, request, code, words) => {
  const error = await join(request).then(
    () => new ConnectError('it was let in'),
    (reason: unknown) => ConnectError.from(reason),
  );
  expect(error).toMatchObject({ code, rawMessage: expect.stringContaining(words) as string });
  expect(store.view.count('node')).toBe(1);
});

test('only a manager asks for engine tokens or leaves; the last one stays', async () => {
  const rootPem = await fetchRoot(addr, tokens().manager);
  const stranger = connectManagers(addr, { certPem: '', keyPem: '', rootPem });
  await expect(stranger.client.engineToken({})).rejects.toBeInstanceOf(ConnectError);
  stranger.close();
  const own = connectManagers(addr, manager.credentials);
  try {
    expect((await own.client.engineToken({})).token).toMatch(/^SWMTKN-1-/);
    await expect(own.client.leave({})).rejects.toThrow('the last manager of a swarm stays one');
    await join({});
    await own.client.leave({});
    const left = store.view.get('node', OWN);
    expect(left).toMatchObject({ role: 'worker', spec: { role: 'worker' } });
    expect(left).not.toHaveProperty('managerAddr');
    // Its certificate is a manager's still, and worth nothing.
    await expect(own.client.engineToken({})).rejects.toThrow('unauthorized peer role');
  } finally {
    own.close();
  }
});

test('a node that is to be a worker is made one, and is not promoted without a swarmd', async () => {
  const { nodeId } = await join({});
  await store.update((tx) => {
    const node = tx.get('node', nodeId);
    if (node) tx.update('node', { ...node, spec: { ...node.spec, role: 'worker' } });
  });
  await expect.poll(() => store.view.get('node', nodeId)?.role, { timeout: 10_000 }).toBe('worker');
  // Hosts that are still to come back from a former leader are waited for, and those that have just joined.
  laterMs += 60_000;
  await expect(manager.leading?.whyNoManager(nodeId)).resolves.toContain('no swarmd is heard of on its host');
});

test('a worker whose swarmd was heard of a moment ago is waited for', async () => {
  const before = await attendingWorker('auto');
  await expect.poll(() => cared?.hosts.length, { timeout: 10_000 }).toBe(1);
  laterMs += 60_000;
  before.end();
  await expect.poll(() => cared?.hosts.length, { timeout: 10_000 }).toBe(0);
  const why = manager.leading?.whyNoManager(before.id);
  const again = await attendingWorker('auto', before.id);
  await expect(why).resolves.toBeUndefined();
  again.end();
});

const ACCESS: StoreAccess = {
  endpoints: ['127.0.0.1:2387'],
  prefix: '/skep',
  ca: 'ca',
  caKey: 'key',
  token: 'token',
  initialCluster: 'a=https://127.0.0.1:2388',
};

/** The swarmd of a worker, a new one if there is none with the id, which attends until the returned `end` is called; `wish` gives what it is told next. */
async function attendingWorker(storeMember: StoreMember, id = newId()) {
  await store.update((tx) => {
    if (tx.get('node', id)) return;
    const node = newManagerNode({ id, addr: '', availability: 'active' });
    tx.create('node', { ...node, role: 'worker', spec: { ...node.spec, role: 'worker' } });
  });
  const cluster = store.view.cluster() as Cluster;
  const link = connectManagers(addr, await issueManagerCertificate(cluster, id, Date.now()));
  const ended = new AbortController();
  const candidate = { ...CANDIDATE, storeMember };
  const wishes = link.client.attend({ candidate }, { signal: ended.signal })[Symbol.asyncIterator]();
  const listen = () => {
    const next = wishes.next();
    next.catch(() => undefined); // it ends with the connection
    return next;
  };
  let next = listen();
  const wish = async () => {
    const told = await next;
    next = listen();
    return told.value as { manager: boolean; witness: boolean };
  };
  return {
    ...{ id, wish },
    become: (witness: boolean) => link.client.become({ candidate, witness }),
    end: () => {
      ended.abort();
      link.close();
    },
  };
}

test('a worker is told to be the witness, comes to the store and gets no unlock key', async () => {
  access = ACCESS;
  const unlockKey = await store.update((tx) => {
    const cluster = tx.cluster();
    if (cluster) tx.update('cluster', { ...cluster, spec: { ...cluster.spec, autoLockManagers: true } });
    return store.lock.begin(tx);
  });
  const worker = await attendingWorker('auto');
  try {
    const first = worker.wish();
    await expect
      .poll(() => cared?.hosts, { timeout: 10_000 })
      .toMatchObject([{ id: worker.id, canKeep: true }]);
    await expect(worker.become(true)).rejects.toThrow('is not to be a witness');
    cared?.wishWitness(worker.id);
    expect(await first).toMatchObject({ manager: false, witness: true });
    const answer = await worker.become(true);
    expect(answer).toMatchObject({ nodeId: worker.id, unlockKey: '', store: { token: 'token' } });
    expect(store.view.get('node', worker.id)?.role).toBe('worker');
    await cared?.showWitness(worker.id);
    expect(cared?.witness).toBe(worker.id);
    // As a manager it would get it.
    expect((await join({})).unlockKey).not.toBe('');
    cared?.wishWitness(undefined);
    expect(await worker.wish()).toMatchObject({ manager: false, witness: false });
  } finally {
    worker.end();
  }
  expect(unlockKey).not.toBe('');
});

test('the second manager is warned where no host can be the witness', async () => {
  access = ACCESS;
  const worker = await attendingWorker('never');
  try {
    await expect
      .poll(() => cared?.hosts, { timeout: 10_000 })
      .toEqual([{ id: worker.id, canKeep: false, storeMember: 'never' }]);
    // Hosts that are still to come back from a former leader are waited for.
    laterMs += 60_000;
    expect((await join({})).warnings).toEqual([expect.stringContaining('two-manager configuration')]);
    expect((await join({ candidate: { addr: '10.0.0.3:2377' } })).warnings).toEqual([]);
  } finally {
    worker.end();
  }
});

test('the second manager is warned of nothing where a worker can be the witness, or the store is the user’s', async () => {
  const nodeId = newId();
  expect((await join({ nodeId })).warnings).toEqual([]);
  access = ACCESS;
  const worker = await attendingWorker('wanted');
  try {
    await expect.poll(() => cared?.hosts, { timeout: 10_000 }).toMatchObject([{ storeMember: 'wanted' }]);
    expect((await join({ nodeId })).warnings).toEqual([]);
  } finally {
    worker.end();
  }
});
