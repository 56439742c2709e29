import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  constrain,
  hostPort,
  nodeOf,
  reserve,
  taskOf,
  type TaskWishes,
} from '../../../test/placement/samples.ts';
import type { NodeWishes } from '../../../test/simulation/fixtures.ts';
import type { Placement } from '../../model/index.ts';
import { TaskGroup } from './group.ts';
import type { NodeInfo } from './node-info.ts';
import { NodeSet } from './node-set.ts';
import { requestOf } from './task-request.ts';

const WITHOUT_CHANCE = { nowMs: 0, random: () => 0 };

function spread(...spreadOver: string[]): { placement: Placement } {
  return { placement: { constraints: [], spreadOver, maxReplicas: 0, platforms: [] } };
}

function nodesOf(wishes: Readonly<Record<string, NodeWishes>>): NodeSet {
  const nodes = new NodeSet();
  for (const [id, each] of Object.entries(wishes)) nodes.add(nodeOf(id, each));
  return nodes;
}

let serial = 0;

/** Puts running tasks on a node. */
function run(nodes: NodeSet, nodeId: string, count: number, wishes: TaskWishes = {}): void {
  for (let n = 0; n < count; n++)
    nodes.get(nodeId)?.put(taskOf(`ran${serial++}`, { state: 'running', nodeId, ...wishes }));
}

/** Places tasks, puts them, and returns the ids of their nodes in the order in which they were chosen. */
function place(
  nodes: NodeSet,
  count: number,
  wishes: TaskWishes = {},
  options: { nowMs: number; random: () => number } = WITHOUT_CHANCE,
): string[] {
  const group = new TaskGroup(requestOf(taskOf('asked', wishes), () => undefined));
  const chosen: string[] = [];
  const placed = group.place(nodes.list(), count, options, (node) => {
    const generic = node.claimGeneric(group.request.generic);
    node.put(taskOf(`placed${serial++}`, { state: 'assigned', ...wishes, nodeId: node.id, generic }));
    chosen.push(node.id);
  });
  expect(placed).toBe(chosen.length);
  return chosen;
}

function countsOf(nodes: NodeSet, serviceId = 'web'): Record<string, number> {
  return Object.fromEntries(nodes.list().map((info) => [info.id, info.activeTasksOf(serviceId)]));
}

describe('ranking', () => {
  it('takes the fewest of the service, then the fewest of all', () => {
    const nodes = nodesOf({ a: {}, b: {}, c: {} });
    run(nodes, 'a', 1);
    run(nodes, 'b', 3, { serviceId: 'other' });
    run(nodes, 'c', 1, { serviceId: 'other' });
    expect(place(nodes, 5)).toEqual(['c', 'b', 'a', 'c', 'b']);
  });

  it('what is to end counts no more', () => {
    const nodes = nodesOf({ a: {}, b: {} });
    run(nodes, 'a', 2, { desiredState: 'shutdown' });
    run(nodes, 'b', 1);
    expect(place(nodes, 2)).toEqual(['a', 'b']);
  });

  it('among equals chance decides', () => {
    const seen = new Set<string>();
    for (const random of [0, 0.4, 0.9]) {
      const [first = ''] = place(nodesOf({ a: {}, b: {}, c: {} }), 1, {}, { nowMs: 0, random: () => random });
      seen.add(first);
    }
    expect(seen).toEqual(new Set(['a', 'b', 'c']));
  });

  it('avoids a node with five failures in five minutes, while there is another', () => {
    const nodes = nodesOf({ a: {}, b: { resources: { nanoCpus: 2e9 } }, c: {} });
    const asked = { spec: reserve({ nanoCpus: 1e9 }) };
    for (let n = 0; n < 5; n++) nodes.get('a')?.addFailure(taskOf('x', asked), n * 1000);
    for (let n = 0; n < 6; n++) nodes.get('c')?.addFailure(taskOf('x', asked), n * 1000);
    for (let n = 0; n < 4; n++) nodes.get('b')?.addFailure(taskOf('x', asked), n * 1000);
    const at = { nowMs: 60_000, random: () => 0 };
    expect(place(nodes, 7, asked, at)).toEqual(['b', 'b', 'a', 'a', 'a', 'a', 'c']);
    // Another version, and another service, are not to blame.
    expect(place(nodesOf({ a: {} }), 1, { ...asked, specVersion: 2 }, at)).toEqual(['a']);
    const other = nodesOf({ a: {}, b: {} });
    for (let n = 0; n < 9; n++) other.get('a')?.addFailure(taskOf('x'), 0);
    expect(place(other, 1, { specVersion: 2 }, at)).toEqual(['a']);
    expect(place(other, 1, {}, { nowMs: 299_999, random: () => 0 })).toEqual(['b']);
    expect(place(other, 1, {}, { nowMs: 300_000, random: () => 0 })).toEqual(['a']);
  });
});

describe('what fits once may not fit twice', () => {
  it('places as many as there is room for', () => {
    const nodes = nodesOf({ a: { resources: { nanoCpus: 1e9 } }, b: { resources: { nanoCpus: 3e9 } } });
    expect(place(nodes, 9, { spec: reserve({ nanoCpus: 1e9 }) })).toEqual(['a', 'b', 'b', 'b']);
    const ports = nodesOf({ a: {}, b: {} });
    expect(place(ports, 3, { ports: [hostPort(80)] })).toEqual(['a', 'b']);
    const most = { spec: { placement: { constraints: [], spreadOver: [], maxReplicas: 2, platforms: [] } } };
    expect(place(nodesOf({ a: {}, b: {} }), 9, most)).toEqual(['a', 'b', 'a', 'b']);
    expect(place(nodesOf({ a: { state: 'down' } }), 1)).toEqual([]);
    expect(place(nodesOf({}), 1)).toEqual([]);
  });

  it('gives out each named resource once', () => {
    const generic = ['g0', 'g1', 'g2'].map((value) => ({ kind: 'gpu', value }));
    const nodes = nodesOf({ a: { resources: { generic } } });
    const claimed: unknown[] = [];
    const group = new TaskGroup(
      requestOf(taskOf('t', { spec: reserve({ generic: [{ kind: 'gpu', value: 1 }] }) }), () => undefined),
    );
    const placed = group.place(nodes.list(), 5, WITHOUT_CHANCE, (node) => {
      const mine = node.claimGeneric(group.request.generic);
      claimed.push(...mine);
      node.put(taskOf(`g${claimed.length}`, { state: 'assigned', nodeId: 'a', generic: mine }));
    });
    expect(placed).toBe(3);
    expect(claimed).toEqual(generic);
  });
});

describe('preferences', () => {
  it('spreads over the values of a label, whatever the number of nodes', () => {
    const nodes = nodesOf({
      a1: { labels: { zone: 'a' } },
      b1: { labels: { zone: 'b' } },
      b2: { labels: { zone: 'b' } },
      b3: { labels: { zone: 'b' } },
      x: {},
    });
    place(nodes, 12, { spec: spread('node.labels.zone') });
    expect(countsOf(nodes)).toEqual({ a1: 4, b1: 2, b2: 1, b3: 1, x: 4 });
  });

  it('spreads over the second within the first', () => {
    const nodes = nodesOf({
      a1: { labels: { zone: 'a' }, engineLabels: { rack: '1' } },
      a2: { labels: { zone: 'a' }, engineLabels: { rack: '1' } },
      a3: { labels: { zone: 'a' }, engineLabels: { rack: '2' } },
      b1: { labels: { zone: 'b' }, engineLabels: { rack: '1' } },
    });
    place(nodes, 8, { spec: spread('node.labels.zone', 'engine.labels.rack') });
    expect(countsOf(nodes)).toEqual({ a1: 1, a2: 1, a3: 2, b1: 4 });
  });

  it('counts the tasks that are there, also on nodes that take no more', () => {
    const nodes = nodesOf({
      a1: { labels: { zone: 'a' }, availability: 'drain' },
      a2: { labels: { zone: 'a' } },
      b1: { labels: { zone: 'b' } },
    });
    run(nodes, 'a1', 3);
    place(nodes, 3, { spec: spread('node.labels.zone') });
    expect(countsOf(nodes)).toEqual({ a1: 3, a2: 0, b1: 3 });
  });

  it('goes elsewhere when a branch is full', () => {
    const nodes = nodesOf({
      a1: { labels: { zone: 'a' }, resources: { nanoCpus: 1e9 } },
      b1: { labels: { zone: 'b' } },
      c1: { labels: { zone: 'c' }, state: 'down' },
    });
    expect(
      place(nodes, 9, { spec: { ...spread('node.labels.zone'), ...reserve({ nanoCpus: 1e9 }) } }),
    ).toHaveLength(5);
    expect(countsOf(nodes)).toEqual({ a1: 1, b1: 4, c1: 0 });
  });

  it('leaves out what is no label', () => {
    const nodes = nodesOf({ a: {}, b: {} });
    place(nodes, 4, { spec: spread('node.id', 'what?', 'node.labels.') });
    expect(countsOf(nodes)).toEqual({ a: 2, b: 2 });
  });
});

describe('whatever comes', () => {
  const zone = fc.constantFrom('a', 'b', 'c');
  const nodes = fc.array(
    fc.record({
      zone,
      rack: fc.constantFrom('1', '2'),
      cpus: fc.integer({ min: 0, max: 6 }),
      gpus: fc.integer({ min: 0, max: 4 }),
      isReady: fc.boolean(),
      web: fc.integer({ min: 0, max: 4 }),
      other: fc.integer({ min: 0, max: 4 }),
      failures: fc.constantFrom(0, 0, 4, 5, 7),
    }),
    { maxLength: 8 },
  );
  const asked = fc.record({
    cpus: fc.integer({ min: 0, max: 2 }),
    gpus: fc.integer({ min: 0, max: 2 }),
    port: fc.boolean(),
    maxReplicas: fc.constantFrom(0, 0, 3),
    constraints: fc.constantFrom([], ['node.labels.zone!=c']),
    spreadOver: fc.constantFrom([], ['node.labels.zone'], ['node.labels.zone', 'engine.labels.rack']),
  });
  type Rows = typeof nodes extends fc.Arbitrary<infer T> ? T : never;
  type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

  function build(rows: Rows): NodeSet {
    const set = new NodeSet();
    for (const [index, row] of rows.entries()) {
      const id = `n${index}`;
      const generic = Array.from({ length: row.gpus }, (_, n) => ({ kind: 'gpu', value: `g${n}` }));
      const info = set.add(
        nodeOf(id, {
          labels: { zone: row.zone },
          engineLabels: { rack: row.rack },
          resources: { nanoCpus: row.cpus * 1e9, generic },
          state: row.isReady ? 'ready' : 'down',
        }),
      );
      run(set, id, row.web);
      run(set, id, row.other, { serviceId: 'other' });
      for (let n = 0; n < row.failures; n++) info.addFailure(taskOf('x'), 0);
    }
    return set;
  }

  function wishesOf({ cpus, gpus, port, maxReplicas, constraints, spreadOver }: Asked): TaskWishes {
    return {
      spec: {
        ...constrain(),
        ...reserve({ nanoCpus: cpus * 1e9, generic: gpus > 0 ? [{ kind: 'gpu', value: gpus }] : [] }),
        placement: { constraints, spreadOver, maxReplicas, platforms: [] },
      },
      ...(port ? { ports: [hostPort(80)] } : {}),
    };
  }

  /** The numbers of tasks in each branch: among equals it is left open which node gets one more. */
  function countsByBranch(set: NodeSet, { spreadOver }: Asked): Record<string, number[]> {
    const counts: Record<string, number[]> = {};
    for (const info of set.list()) {
      const zone = spreadOver.length > 0 ? info.node.spec.annotations.labels['zone'] : '';
      const rack = spreadOver.length > 1 ? info.node.description?.engineLabels['rack'] : '';
      (counts[`${zone}/${rack}`] ??= []).push(info.activeTasksOf('web'));
    }
    for (const each of Object.values(counts)) each.sort((a, b) => a - b);
    return counts;
  }

  it('a group is placed as its tasks would be one by one', () => {
    fc.assert(
      fc.property(nodes, asked, fc.integer({ min: 0, max: 30 }), (rows, request, count) => {
        const together = build(rows);
        const oneByOne = build(rows);
        const placed = place(together, count, wishesOf(request)).length;
        let alone = 0;
        for (let n = 0; n < count; n++) alone += place(oneByOne, 1, wishesOf(request)).length;
        expect(placed).toBe(alone);
        expect(countsByBranch(together, request)).toEqual(countsByBranch(oneByOne, request));
      }),
      { numRuns: 500 },
    );
  });

  it('no node gives what it lacks, and none is passed over that has it', () => {
    fc.assert(
      fc.property(
        nodes,
        asked,
        fc.nat({ max: 40 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (rows, request, count, chance) => {
          const set = build(rows);
          const wishes = wishesOf(request);
          const chosen = place(set, count, wishes, { nowMs: 0, random: () => chance });
          const group = new TaskGroup(requestOf(taskOf('t', wishes), () => undefined));
          for (const info of set.list()) {
            const mine = chosen.filter((id) => id === info.id).length;
            if (mine > 0) {
              expect(info.freeNanoCpus).toBeGreaterThanOrEqual(0);
              expect(info.freeGeneric('gpu')).toBeGreaterThanOrEqual(0);
              if (request.port) expect(mine).toBe(1);
              if (request.maxReplicas > 0)
                expect(info.activeTasksOf('web')).toBeLessThanOrEqual(request.maxReplicas);
            }
            if (chosen.length < count) expect(group.fits(info)).toBe(false);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('a node without its tasks is as it was', () => {
    fc.assert(
      fc.property(nodes, asked, fc.nat({ max: 20 }), (rows, request, count) => {
        const set = build(rows);
        const facts = (info: NodeInfo): unknown[] => [
          info.freeNanoCpus,
          info.freeGeneric('gpu'),
          info.activeTasks,
          info.activeTasksOf('web'),
          info.hasHostPort('80/tcp'),
        ];
        const before = set.list().map(facts);
        const first = serial;
        const chosen = place(set, count, wishesOf(request));
        for (const [index, id] of chosen.entries())
          expect(set.get(id)?.delete(`placed${first + index}`)).toBe(true);
        expect(set.list().map(facts)).toEqual(before);
      }),
    );
  });
});
