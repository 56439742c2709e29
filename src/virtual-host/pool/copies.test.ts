import { describe, expect, it } from 'vitest';
import { Container, NO_DETAILS } from './container.ts';
import { Copies } from './copies.ts';
import type { EngineNode } from './engine-node.ts';

interface Place {
  lost: boolean;
  clockSkewMs: number;
}

function place(): Place {
  return { lost: false, clockSkewMs: 0 };
}

const POLICY = { 'com.docker.swarm.reschedule-policies': '["on-node-failure"]' };

function container(
  id: string,
  node: Place,
  made: { createdMs: number; state?: string; name?: string; labels?: Record<string, string> },
): Container {
  const { createdMs, state = 'running', name = 'web', labels = POLICY } = made;
  const Labels = { ...labels, 'com.docker.swarm.id': 'S' };
  const summary = { Id: id, Names: [`/${name}`], State: state, Labels };
  return new Container(node as unknown as EngineNode, summary, { ...NO_DETAILS, createdMs });
}

function counting(...all: Container[]): string | undefined {
  const copies = new Copies();
  for (const each of all) copies.put(each);
  const ids = new Set(all.map((each) => copies.counting(each)?.id));
  expect(ids.size).toBe(1);
  return [...ids][0];
}

describe('of the copies of a container', () => {
  it('the newest counts, by our clock', () => {
    const [one, other] = [place(), place()];
    expect(
      counting(container('a', one, { createdMs: 1000 }), container('b', other, { createdMs: 2000 })),
    ).toBe('b');
    other.clockSkewMs = 5000;
    expect(
      counting(container('a', one, { createdMs: 1000 }), container('b', other, { createdMs: 2000 })),
    ).toBe('a');
  });

  it('one that was never started counts only while none runs on a node that is not lost', () => {
    const [one, other] = [place(), place()];
    const running = container('a', one, { createdMs: 1000 });
    const made = container('b', other, { createdMs: 2000, state: 'created' });
    expect(counting(running, made)).toBe('a');
    one.lost = true;
    expect(counting(running, made)).toBe('b');
  });

  it('none that was replaced counts, although its copy is gone', () => {
    const copies = new Copies();
    const former = container('a', place(), { createdMs: 1000 });
    const copy = container('b', place(), { createdMs: 2000 });
    copies.put(former);
    expect(copies.put(copy)).toEqual([former]);
    copies.replace('a');
    expect(copies.delete('b')).toEqual([former]);
    expect(copies.counting(former)).toBeUndefined();
  });

  it('those of another name, on the same engine, or without the policy are none', () => {
    const copies = new Copies();
    const node = place();
    const first = container('a', node, { createdMs: 1000 });
    const others = [
      container('b', place(), { createdMs: 2000, name: 'other' }),
      container('c', node, { createdMs: 3000 }),
      container('d', place(), { createdMs: 4000, labels: {} }),
    ];
    for (const each of [first, ...others]) copies.put(each);
    for (const each of [first, ...others]) expect(copies.counting(each)).toBe(each);
  });

  it('a renamed one leaves its place to the others', () => {
    const copies = new Copies();
    const former = container('a', place(), { createdMs: 1000 });
    const node = place();
    copies.put(former);
    copies.put(container('b', node, { createdMs: 2000 }));
    expect(copies.put(container('b', node, { createdMs: 2000, name: 'new' }))).toEqual([former]);
    expect(copies.counting(former)).toBe(former);
    expect(copies.knows('S')).toBe(true);
  });
});
