import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractExpressions } from './extract.ts';
import type { ContainerFacts, PortUse } from './facts.ts';
import { createScheduler } from './scheduler.ts';
import { type NodeFacts, SchedulerNode } from './node.ts';
import {
  DEFAULT_FILTERS,
  type FilterName,
  type PlacementRequest,
  type PreparedFilter,
  STRATEGY_NAMES,
  type StrategyName,
} from './types.ts';

const GIB = 2 ** 30;

function node(name: string, facts: Partial<NodeFacts> = {}, ...containers: ContainerFacts[]): SchedulerNode {
  const one = new SchedulerNode({
    id: `ID-${name}`,
    name,
    address: `${name}:2375`,
    labels: {},
    totalNanoCpus: 4e9,
    totalMemoryBytes: 4 * GIB,
    ...facts,
  });
  for (const container of containers) one.put(container);
  return one;
}

function container(name: string, facts: Partial<ContainerFacts> = {}): ContainerFacts {
  return {
    id: `${name}-id`,
    name,
    image: 'nginx',
    imageId: '',
    labels: {},
    ports: [],
    nanoCpus: 0,
    memoryBytes: 0,
    ...facts,
  };
}

const tcp = (port: number, hostIp = ''): PortUse => ({ hostIp, port, protocol: 'tcp' });

function request(env: string[] = [], facts: Partial<PlacementRequest> = {}): PlacementRequest {
  const { constraints, affinities, whitelists } = extractExpressions({ env, labels: {} });
  return {
    name: 'new',
    image: 'nginx',
    constraints,
    affinities,
    whitelists,
    nanoCpus: 0,
    memoryBytes: 0,
    ports: [],
    dependencies: [],
    ...facts,
  };
}

function scheduler(
  strategy: StrategyName = 'spread',
  filters: readonly FilterName[] = DEFAULT_FILTERS,
  seed = 1,
) {
  let state = seed;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return createScheduler({ strategy, filters, random });
}

/** Names of the nodes that can take the request, in the order of their names. */
function eligible(nodes: SchedulerNode[], wanted: PlacementRequest): string[] {
  return scheduler()
    .order(nodes, wanted)
    .map(({ name }) => name)
    .sort();
}

function failureOf(nodes: SchedulerNode[], wanted: PlacementRequest, extra?: readonly PreparedFilter[]) {
  const placement = scheduler().place(nodes, wanted, extra);
  if (placement.ok) throw new Error(`placed on ${placement.node.name}`);
  return placement;
}

describe('filters', () => {
  it('health: only nodes that answer, unless the filter is not chosen', () => {
    const [a, b] = [node('a'), node('b')];
    a.healthy = false;
    expect(eligible([a, b], request())).toEqual(['b']);
    b.healthy = false;
    const failed = failureOf([a, b], request());
    expect(failed.reason).toBe('no-healthy-node');
    expect(failed.message).toBe('No healthy node available in the cluster\nhealth: not healthy: a, b');
    expect(scheduler('spread', ['port']).place([a], request()).ok).toBe(true);
    expect(failureOf([], request()).reason).toBe('no-healthy-node');
  });

  it('port: per address, for stopped containers and placements under way alike', () => {
    const a = node('a', {}, container('web', { ports: [tcp(80, '10.0.0.1')] }));
    const b = node('b', {}, container('www', { ports: [tcp(80), tcp(0)] }));
    const on = (...ports: PortUse[]) => eligible([a, b], request([], { ports }));
    expect(on(tcp(80))).toEqual([]);
    expect(on(tcp(80, '10.0.0.2'))).toEqual(['a']);
    expect(on(tcp(80, '10.0.0.1'))).toEqual([]);
    expect(on(tcp(80, '::'))).toEqual([]);
    expect(on({ hostIp: '', port: 80, protocol: 'udp' })).toEqual(['a', 'b']);
    expect(on(tcp(81), tcp(80, '10.0.0.2'))).toEqual(['a']);
    expect(failureOf([a, b], request([], { ports: [tcp(80)] })).message).toBe(
      'Unable to find a node that satisfies the following conditions \n[port 80 (Bridge mode)]\n' +
        'port: port 80/tcp in use: a, b',
    );
  });

  it('containerslots: every container counts, a wrong label is no limit', () => {
    const full = node('full', { labels: { containerslots: '1' } }, container('x'));
    const room = node('room', { labels: { containerslots: '2' } }, container('x'));
    const odd = node('odd', { labels: { containerslots: 'many' } }, container('x'));
    expect(eligible([full, room, odd], request())).toEqual(['odd', 'room']);
    expect(failureOf([full], request()).message).toContain('\n[available container slots]\n');
    expect(failureOf([full], request()).message).toContain(
      'containerslots: no container slot free of 1: full',
    );
  });

  it('dependency: all containers on one node, by name, id, prefix or node/name', () => {
    const a = node('a', {}, container('db', { id: 'cafe01' }), container('cache'));
    const b = node('b', {}, container('cafe', { id: 'beef02' }));
    const on = (...names: string[]) =>
      eligible(
        [a, b],
        request([], { dependencies: names.map((name) => ({ kind: 'link', container: name })) }),
      );
    expect(on('db', 'cache')).toEqual(['a']);
    expect(on('/db')).toEqual(['a']);
    expect(on('cafe')).toEqual(['b']);
    expect(on('cafe0')).toEqual(['a']);
    expect(on('beef02')).toEqual(['b']);
    expect(on('a/db')).toEqual(['a']);
    expect(on('b/db')).toEqual([]);
    expect(on('db', 'cafe')).toEqual([]);
    expect(on('')).toEqual([]);
    const failed = failureOf(
      [a, b],
      request([], {
        dependencies: [
          { kind: 'volumes-from', container: 'data' },
          { kind: 'net', container: 'db' },
        ],
      }),
    );
    expect(failed.message.split('\n').slice(2, 3)).toEqual(['[--volumes-from=data --net=container:db]']);
    expect(failed.message).toContain('dependency: does not have the container of --volumes-from=data: a, b');
  });

  it('affinity: containers', () => {
    const id = '0123456789abcdef'.repeat(4);
    const a = node('a', {}, container('web', { id }));
    const b = node('b', {}, container('db'));
    const on = (expression: string) => eligible([a, b], request([`affinity:${expression}`]));
    expect(on('container==web')).toEqual(['a']);
    expect(on('container!=web')).toEqual(['b']);
    expect(on(`container==${id}`)).toEqual(['a']);
    expect(on(`container==${id.slice(0, 12)}`)).toEqual(['a']);
    expect(on(`container==${id.slice(0, 5)}`)).toEqual([]);
    expect(on('container==w*')).toEqual(['a']);
    expect(on('container==/^(web|db)$/')).toEqual(['a', 'b']);
    expect(on('container!=/^d/')).toEqual(['a']);
  });

  it('affinity: images', () => {
    const [a, b] = [node('a'), node('b')];
    a.setImages([
      { id: `sha256:${'ab'.repeat(32)}`, tags: ['redis:7', 'registry:5000/app/web:1', '<none>:<none>'] },
    ]);
    b.setImages([{ id: '', tags: ['docker.io/library/nginx:latest'] }]);
    const on = (expression: string) => eligible([a, b], request([`affinity:${expression}`]));
    for (const name of ['redis', 'redis:7', 'docker.io/library/redis', 'library/redis:7', 'abababababab']) {
      expect(on(`image==${name}`)).toEqual(['a']);
    }
    expect(on(`image==sha256:${'ab'.repeat(32)}`)).toEqual(['a']);
    expect(on('image==registry:5000/app/web')).toEqual(['a']);
    expect(on('image==registry')).toEqual([]);
    expect(on('image==nginx')).toEqual(['b']);
    expect(on('image!=nginx')).toEqual(['a']);
    expect(on('image==ngin*')).toEqual(['b']);
    expect(on('image==redis:8')).toEqual([]);
    b.setImages([]);
    expect(on('image!=nginx')).toEqual(['a', 'b']);
  });

  it('affinity: labels of containers', () => {
    const a = node('a', {}, container('x', { labels: { tier: 'front' } }));
    const [b, c] = [node('b', {}, container('y', { labels: { tier: 'back' } })), node('c')];
    const on = (expression: string) => eligible([a, b, c], request([`affinity:${expression}`]));
    expect(on('tier==front')).toEqual(['a']);
    expect(on('tier!=front')).toEqual(['b', 'c']);
    expect(on('tier==*k')).toEqual(['b']);
    expect(on('constructor==x')).toEqual([]);
    a.delete('x-id');
    expect(on('tier==front')).toEqual([]);
  });

  it('constraint: the node, its facts and its labels', () => {
    const a = node('core-01', { labels: { storagedriver: 'overlay2', zone: 'eu', Zone: 'EU' } });
    const b = node('core-02', { labels: { storagedriver: 'zfs' } });
    const on = (...expressions: string[]) =>
      eligible([a, b], request(expressions.map((expression) => `constraint:${expression}`)));
    expect(on('node==core-01')).toEqual(['core-01']);
    expect(on('node==ID-core-02')).toEqual(['core-02']);
    expect(on('node==CORE-01')).toEqual([]);
    expect(on('node==/(?i)^CORE-01$/')).toEqual(['core-01']);
    expect(on('node!=core-01')).toEqual(['core-02']);
    expect(on('node!=ID-core-01')).toEqual(['core-02']);
    expect(on('node==core-*', 'storagedriver==zfs')).toEqual(['core-02']);
    expect(on('zone==eu')).toEqual(['core-01']);
    expect(on('Zone==eu')).toEqual([]);
    expect(on('zone!=eu')).toEqual(['core-02']);
    expect(on('zone==*')).toEqual(['core-01', 'core-02']);
    expect(on('constructor==*')).toEqual(['core-01', 'core-02']);
    const { message } = failureOf([a, b], request(['constraint:zone==us', 'constraint:node==core-*']));
    expect(message).toBe(
      'Unable to find a node that satisfies the following conditions \n[available container slots]\n' +
        '[zone==us node==core-*]\n' +
        "constraint: zone==us does not hold, zone is 'eu': core-01\n" +
        'constraint: zone==us does not hold, zone is not set: core-02',
    );
  });

  it('whitelist: a list of nodes', () => {
    const nodes = ['a', 'b', 'c'].map((name) => node(name));
    const on = (expression: string) => eligible(nodes, request([`whitelist:${expression}`]));
    expect(on('node==a|c')).toEqual(['a', 'c']);
    expect(on('node!=a|c')).toEqual(['b']);
    expect(on('node==ID-b')).toEqual(['b']);
    expect(on('node==d')).toEqual([]);
  });

  it('soft expressions: all of them, or none', () => {
    const a = node('a', { labels: { zone: 'eu' } });
    const b = node('b', {}, container('x'));
    const names = (...env: string[]) =>
      scheduler()
        .order([a, b], request(env))
        .map(({ name }) => name);
    expect(names('constraint:node==~b')).toEqual(['b', 'a']);
    expect(names('constraint:node==~b', 'constraint:zone==~us')).toEqual(['a', 'b']);
    expect(names('constraint:node==~b', 'constraint:zone==eu')).toEqual(['a']);
    expect(names('affinity:container!=~x')).toEqual(['a', 'b']);
    expect(scheduler().place([a, b], request(['constraint:node==~c']))).toMatchObject({
      ok: true,
      node: { name: 'a' },
    });
    b.put(container('big', { nanoCpus: 4e9 }));
    const busy = request(['constraint:node==~b'], { nanoCpus: 1e9 });
    expect(scheduler().place([a, b], busy)).toMatchObject({ ok: true, node: { name: 'a' } });
  });

  it("a caller's own", () => {
    const own: PreparedFilter = {
      name: 'network',
      conditions: ['network back'],
      check: ({ name }) => name === 'b',
      explain: () => 'does not have the network back',
    };
    const nodes = [node('a'), node('b')];
    expect(scheduler().order(nodes, request(), [own])).toEqual([nodes[1]]);
    const { message } = failureOf(nodes, request(['constraint:node==a']), [own]);
    expect(message.split('\n').slice(1)).toEqual([
      '[available container slots]',
      '[node==a]',
      '[network back]',
      'constraint: node==a does not hold: b',
      'network: does not have the network back: a',
    ]);
  });
});

describe('resources', () => {
  it('are never overcommitted', () => {
    const a = node('a', {}, container('x', { nanoCpus: 3e9, memoryBytes: 3 * GIB }));
    expect(eligible([a], request([], { nanoCpus: 1e9, memoryBytes: GIB }))).toEqual(['a']);
    expect(eligible([a], request([], { nanoCpus: 1e9 + 1 }))).toEqual([]);
    const failed = failureOf([a], request([], { nanoCpus: 2e9, memoryBytes: 2 * GIB }));
    expect(failed.reason).toBe('no-resources');
    expect(failed.message).toBe(
      'no resources available to schedule container\n' +
        'resources: needs 2 CPUs, 1 of 4 free; needs 2 GiB memory, 1 GiB of 4 GiB free: a',
    );
    a.put(container('y', { nanoCpus: 9e9 }));
    expect(eligible([a], request())).toEqual(['a']);
  });

  it('larger than the largest node are refused with a hint, whatever else is wrong', () => {
    const failed = failureOf([node('a')], request(['constraint:node==b'], { nanoCpus: 1024e9 }));
    expect(failed.reason).toBe('no-resources');
    expect(failed.message).toMatch(
      /^no resources available to schedule container\n1024 CPUs are asked for.*--cpus/,
    );
    expect(failed.message).toContain('constraint: node==b does not hold: a');
    expect(failureOf([node('a')], request([], { memoryBytes: Infinity })).message).toContain(
      'memory is asked for',
    );
  });

  it('that make no sense are none', () => {
    for (const amount of [-5, NaN]) {
      expect(eligible([node('a')], request([], { nanoCpus: amount, memoryBytes: amount }))).toEqual(['a']);
    }
    const odd = node('odd', { totalNanoCpus: NaN, totalMemoryBytes: 0 });
    expect(eligible([odd], request())).toEqual(['odd']);
    expect(eligible([odd], request([], { nanoCpus: 1 }))).toEqual([]);
  });
});

describe('messages', () => {
  it('stay short on a large cluster and keep everything in the data', () => {
    const nodes = Array.from({ length: 1000 }, (_, index) =>
      node(`n${index}`, { labels: { rack: String(index % 50) } }, container('web', { ports: [tcp(80)] })),
    );
    const failed = failureOf(nodes, request(['constraint:rack==x'], { ports: [tcp(80)], nanoCpus: 1e9 }));
    expect(failed.message).toContain('port: port 80/tcp in use: n0, n1, n2, n3, n4 … and 995 more');
    expect(failed.message.split('\n').length).toBeLessThan(12);
    expect(failed.message.length).toBeLessThan(2000);
    expect(failed.refusals.map(({ filter }) => filter)).toEqual(['port', 'constraint']);
    expect(failed.refusals[0]?.reasons[0]?.nodes).toHaveLength(1000);
    const ports = Array.from({ length: 65535 }, (_, index) => tcp(index + 1));
    expect(failureOf(nodes, request([], { ports })).message.length).toBeLessThan(2000);
  });
});

describe('strategies', () => {
  const names = (strategy: StrategyName, nodes: SchedulerNode[], wanted = request()) =>
    scheduler(strategy)
      .order(nodes, wanted)
      .map(({ name }) => name);

  it('spread takes the emptiest, binpack the fullest that has room', () => {
    const nodes = [1e9, 2e9, 3e9].map((nanoCpus, index) =>
      node(`n${index}`, {}, container('x', { nanoCpus })),
    );
    const wanted = request([], { nanoCpus: 1e9 });
    expect(names('spread', nodes, wanted)).toEqual(['n0', 'n1', 'n2']);
    expect(names('binpack', nodes, wanted)).toEqual(['n2', 'n1', 'n0']);
    expect(names('binpack', nodes, request([], { nanoCpus: 2e9 }))).toEqual(['n1', 'n0']);
  });

  it('without reservations the number of containers decides', () => {
    const nodes = [
      node('two', {}, container('a'), container('b')),
      node('one', {}, container('a')),
      node('none'),
    ];
    expect(names('spread', nodes)).toEqual(['none', 'one', 'two']);
    expect(names('binpack', nodes)).toEqual(['two', 'one', 'none']);
  });

  it.each(STRATEGY_NAMES)('%s puts health above all', (strategy) => {
    const nodes = [node('a'), node('b', {}, container('x')), node('c')];
    const [a, , c] = nodes;
    if (a) a.failures = 1;
    if (c) c.failures = 2;
    for (let seed = 1; seed < 20; seed++) {
      const chosen = scheduler(strategy, DEFAULT_FILTERS, seed).place(nodes, request());
      expect(chosen).toMatchObject({ ok: true, node: { name: 'b' } });
    }
    expect(names(strategy, nodes)).toEqual(['b', 'a', 'c']);
  });

  it.each(['spread', 'random'] as const)('%s leaves it to chance among equals', (strategy) => {
    const nodes = ['a', 'b', 'c', 'd'].map((name) => node(name));
    const counts = new Map<string, number>();
    const one = scheduler(strategy, DEFAULT_FILTERS, 7);
    for (let index = 0; index < 4000; index++) {
      const placement = one.place(nodes, request(['constraint:node!=d']));
      if (placement.ok) counts.set(placement.node.name, (counts.get(placement.node.name) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['a', 'b', 'c']);
    if (strategy === 'random')
      for (const count of counts.values()) expect(Math.abs(count - 1333)).toBeLessThan(150);
  });

  it('random finds the one node among many', () => {
    const nodes = Array.from({ length: 500 }, (_, index) => node(`n${index}`));
    const wanted = request(['constraint:node==n321']);
    expect(scheduler('random').place(new Set(nodes), wanted)).toMatchObject({
      ok: true,
      node: { name: 'n321' },
    });
  });
});

describe('whatever comes', () => {
  const wanted = fc.record({
    nanoCpus: fc.integer({ min: 0, max: 3 }).map((cores) => cores * 1e9),
    memoryBytes: fc.integer({ min: 0, max: 3 }).map((gib) => gib * GIB),
    ports: fc.uniqueArray(
      fc.record({
        hostIp: fc.constantFrom('', '10.0.0.1', '10.0.0.2'),
        port: fc.integer({ min: 80, max: 83 }),
        protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      }),
      { maxLength: 2, selector: ({ port, protocol }) => `${port}${protocol}` },
    ),
  });
  const step = fc.oneof(
    wanted.map((facts) => ({ leave: -1, facts })),
    fc.nat({ max: 30 }).map((leave) => ({ leave, facts: undefined })),
  );

  it('no node lacks what it gave, no port is shared, and the ranking holds', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STRATEGY_NAMES),
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 1e6 }),
        (strategy, steps, seed) => {
          const nodes = ['a', 'b', 'c'].map((name) => node(name));
          const one = scheduler(strategy, DEFAULT_FILTERS, seed);
          const placed: { at: SchedulerNode; id: string }[] = [];
          for (const [index, { leave, facts }] of steps.entries()) {
            const gone = facts ? undefined : placed[leave];
            gone?.at.delete(gone.id);
            if (!facts) continue;
            const asked = request([], facts);
            const able = one.order(nodes, asked);
            const placement = one.place(nodes, asked);
            expect(placement.ok).toBe(able.length > 0);
            if (!placement.ok) continue;
            const weights = able.map((each) => each.weight(asked.nanoCpus, asked.memoryBytes));
            const weight = placement.node.weight(asked.nanoCpus, asked.memoryBytes);
            if (strategy === 'spread') expect(weight).toBe(Math.min(...weights));
            if (strategy === 'binpack') expect(weight).toBe(Math.max(...weights));
            placement.node.put(container(`c${index}`, facts));
            placed.push({ at: placement.node, id: `c${index}-id` });
          }
          for (const each of nodes) {
            expect(each.usedNanoCpus).toBeLessThanOrEqual(each.totalNanoCpus);
            expect(each.usedMemoryBytes).toBeLessThanOrEqual(each.totalMemoryBytes);
            const held = [...each.containers()].flatMap(({ ports }) => [...ports]);
            for (const [index, port] of held.entries()) {
              const clash = held
                .slice(index + 1)
                .find(
                  (other) =>
                    other.port === port.port &&
                    other.protocol === port.protocol &&
                    (other.hostIp === port.hostIp || other.hostIp === '' || port.hostIp === ''),
                );
              expect(clash).toBeUndefined();
            }
          }
        },
      ),
    );
  });

  it('a placement is one of the nodes that the filters accept when asked one by one', () => {
    const label = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(label, label, fc.boolean()), { minLength: 1, maxLength: 12 }),
        label,
        label,
        (rows, zone, tier) => {
          const nodes = rows.map(([nodeZone, nodeTier, healthy], index) => {
            const one = node(
              `n${index}`,
              { labels: { zone: nodeZone } },
              container('x', { labels: { tier: nodeTier } }),
            );
            one.healthy = healthy;
            return one;
          });
          const able = rows.filter(([a, b, healthy]) => healthy && a === zone && b !== tier).length;
          const asked = request([`constraint:zone==${zone}`, `affinity:tier!=${tier}`]);
          for (const strategy of STRATEGY_NAMES) {
            expect(scheduler(strategy).order(nodes, asked)).toHaveLength(able);
            expect(scheduler(strategy).place(nodes, asked).ok).toBe(able > 0);
          }
        },
      ),
    );
  });
});
