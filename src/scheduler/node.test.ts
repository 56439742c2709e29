import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { familiarImageName, repositoryOf } from './image-name.ts';
import { SchedulerNode } from './node.ts';
import { hostIpKey, PortTable } from './port-table.ts';
import type { ContainerFacts, PortUse } from './facts.ts';

function node(labels: Record<string, string> = {}): SchedulerNode {
  return new SchedulerNode({
    id: 'ID1',
    name: 'n1',
    address: '10.0.0.1:2375',
    labels,
    totalNanoCpus: 4e9,
    totalMemoryBytes: 1e9,
  });
}

function container(id: string, facts: Partial<ContainerFacts> = {}): ContainerFacts {
  return {
    id,
    name: '',
    image: '',
    imageId: '',
    labels: {},
    ports: [],
    nanoCpus: 0,
    memoryBytes: 0,
    ...facts,
  };
}

const somePort: fc.Arbitrary<PortUse> = fc.record({
  hostIp: fc.constantFrom('', '0.0.0.0', '::', '10.0.0.1', '10.0.0.2', '[fe80::1]', 'FE80::1'),
  port: fc.integer({ min: 0, max: 3 }),
  protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
});

/** The rule, told another way. */
function conflict(a: PortUse, b: PortUse): boolean {
  if (a.port === 0 || a.port !== b.port || a.protocol !== b.protocol) return false;
  const [one, other] = [hostIpKey(a.hostIp), hostIpKey(b.hostIp)];
  return one === '' || other === '' || one === other;
}

describe('PortTable', () => {
  it('knows every spelling of every address', () => {
    expect(['', '0.0.0.0', '::', '[::]', '0:0:0:0:0:0:0:0'].map(hostIpKey)).toEqual(['', '', '', '', '']);
    expect(hostIpKey('[FE80::1]')).toBe('fe80::1');
    expect(hostIpKey('10.0.0.1')).toBe('10.0.0.1');
  });

  it('answers as a search through all uses does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), somePort)), somePort, (steps, asked) => {
        const table = new PortTable();
        const held: PortUse[] = [];
        for (const [add, use] of steps) {
          if (add) {
            table.add(use);
            held.push(use);
          } else {
            const leaving = held.shift();
            if (leaving) table.remove(leaving);
          }
        }
        const single = new PortTable();
        single.add(asked);
        const expected = held.some((use) => conflict(use, asked));
        expect(table.taken(asked)).toBe(expected);
        expect(table.conflict(single)).toBe(expected ? `${asked.port}/${asked.protocol}` : undefined);
        expect(single.conflict(table)).toBe(table.conflict(single));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('SchedulerNode', () => {
  it('sums what its containers reserve, and forgets what is replaced or gone', () => {
    const one = node();
    one.put(container('a', { nanoCpus: 1e9, memoryBytes: 100, name: 'web' }));
    one.put(container('b', { nanoCpus: 5e8 }));
    one.put(container('a', { nanoCpus: 2e9, memoryBytes: 50, name: 'www' }));
    expect([one.usedNanoCpus, one.usedMemoryBytes, one.containerCount]).toEqual([2.5e9, 50, 2]);
    expect([one.hasContainer('web'), one.hasContainer('www'), one.hasContainer('a')]).toEqual([
      false,
      true,
      true,
    ]);
    one.delete('a');
    one.delete('a');
    one.delete('never');
    expect([one.usedNanoCpus, one.usedMemoryBytes, one.containerCount]).toEqual([5e8, 0, 1]);
    expect(one.hasContainer('www')).toBe(false);
  });

  it('comes back to nothing after any sequence, whatever the numbers', () => {
    const amount = fc.oneof(fc.double(), fc.integer(), fc.constant(Number.MAX_VALUE));
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      cpu: amount,
      memory: amount,
      ports: fc.array(somePort),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const one = node();
        for (const { id, cpu, memory, ports } of steps) {
          one.put(
            container(id, { nanoCpus: cpu, memoryBytes: memory, ports, name: id, labels: { app: id } }),
          );
          one.containerLabelValues('app');
        }
        for (const id of ['a', 'b', 'c']) one.delete(id);
        expect([one.usedNanoCpus, one.usedMemoryBytes, one.containerCount]).toEqual([0, 0, 0]);
        expect([...one.containerLabelValues('app').keys(), ...one.containerNames()]).toEqual([]);
        for (const { ports } of steps) for (const use of ports) expect(one.portTaken(use)).toBe(false);
      }),
    );
  });

  it('keeps a name that the placement and its container share for a moment', () => {
    const one = node();
    one.put(container('pending', { name: 'web' }));
    one.put(container('real', { name: 'web' }));
    one.delete('pending');
    expect(one.hasContainer('web')).toBe(true);
  });

  it('reads the slots only from a whole number', () => {
    const slots = ['3', '-1', '+2', '', 'x', '1.5', '1e3', ' 4', '9'.repeat(30)].map(
      (containerslots) => node({ containerslots }).slots,
    );
    expect(slots).toEqual([3, -1, 2, undefined, undefined, undefined, undefined, undefined, undefined]);
    const one = node({ containerslots: '3' });
    one.setFacts({ name: 'other' });
    expect([one.slots, one.name]).toEqual([3, 'other']);
    one.setFacts({ labels: {} });
    expect(one.slots).toBeUndefined();
  });

  it('indexes more labels than it keeps indexes for', () => {
    const one = node();
    const labels = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`key${index}`, 'x']));
    one.put(container('a', { labels }));
    for (let round = 0; round < 2; round++) {
      for (const key of Object.keys(labels)) expect([...one.containerLabelValues(key).keys()]).toEqual(['x']);
    }
    one.put(container('b'));
    expect([...one.containerLabelValues('key19').keys()]).toEqual(['x', '']);
  });

  it('takes no member of Object for a label', () => {
    expect(node().label('constructor')).toBeUndefined();
    const one = node();
    one.put(container('a'));
    expect([...one.containerLabelValues('constructor').keys()]).toEqual(['']);
  });
});

describe('image names', () => {
  it('lose what the CLI adds', () => {
    expect(familiarImageName('docker.io/library/redis:7')).toBe('redis:7');
    expect(familiarImageName('index.docker.io/bitnami/redis')).toBe('bitnami/redis');
    expect(familiarImageName('registry:5000/library/redis')).toBe('registry:5000/library/redis');
  });

  it('have a repository', () => {
    expect(repositoryOf('redis:7')).toBe('redis');
    expect(repositoryOf('registry:5000/redis')).toBe('registry:5000/redis');
    expect(repositoryOf('registry:5000/redis:7@sha256:00')).toBe('registry:5000/redis');
  });
});
