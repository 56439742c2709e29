import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Container, NO_DETAILS } from './container.ts';
import { ContainerIndex } from './container-index.ts';
import type { EngineNode } from './engine-node.ts';

const node = { name: 'core-01', ip: '10.0.0.1', healthy: true, clockSkewMs: 0 } as EngineNode;

function container(number: number, created: number, name = `c${number}`): Container {
  const id = (number * 0x9e3779b1).toString(16).padStart(64, '0');
  return new Container(node, { Id: id, Names: [`/${name}`], Created: created }, NO_DETAILS);
}

describe('the index of containers', () => {
  it('is in order, and finds what it holds, after any changes', () => {
    const change = fc.record({
      number: fc.nat(20),
      created: fc.nat(5),
      remove: fc.boolean(),
      look: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const index = new ContainerIndex();
        const held = new Map<string, Container>();
        for (const { number, created, remove, look } of changes) {
          const next = container(number, created);
          if (remove) {
            index.delete(next.id);
            held.delete(next.id);
          } else {
            index.put(next);
            held.set(next.id, next);
          }
          if (look) index.newestFirst();
        }
        const list = index.newestFirst();
        expect(new Set(list)).toEqual(new Set(held.values()));
        expect(list).toHaveLength(held.size);
        expect(list.map((each) => each.created)).toEqual(
          [...held.values()].map((each) => each.created).sort((a, b) => b - a),
        );
        for (const each of held.values()) {
          expect(index.get(each.id)).toBe(each);
          expect(index.named(each.name)).toEqual([each]);
          expect(index.withPrefix(each.id)).toEqual([each]);
          expect(index.withPrefix(each.id.slice(0, 2))).toContain(each);
        }
      }),
    );
  });

  it('knows several containers of one name, and forgets a former name', () => {
    const index = new ContainerIndex();
    index.put(container(1, 1, 'web'));
    index.put(container(2, 2, 'web'));
    expect(index.named('web')).toHaveLength(2);
    index.put(container(2, 2, 'other'));
    expect(index.named('web')).toHaveLength(1);
    expect(index.withPrefix('')).toEqual([]);
  });
});
