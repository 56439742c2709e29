import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

describe('slots', () => {
  it('give each number once, the one that was given back last of all', () => {
    const slots = new Slots(70);
    expect(Array.from({ length: 70 }, () => slots.takeNext())).toEqual(
      Array.from({ length: 70 }, (_, i) => i),
    );
    expect(slots.takeNext()).toBeUndefined();
    expect(slots.release(5)).toBe(true);
    expect(slots.release(5)).toBe(false);
    expect(slots.takeNext()).toBe(5);
    expect(slots.release(69)).toBe(true);
    expect(slots.release(0)).toBe(true);
    expect(slots.takeNext()).toBe(69);
    expect(slots.takeNext()).toBe(0);
    expect(slots.free).toBe(0);
  });

  it('let a number rest while others are free', () => {
    const slots = new Slots(10);
    const first = slots.takeNext() ?? -1;
    slots.release(first);
    const next = Array.from({ length: 9 }, () => slots.takeNext());
    expect(next).not.toContain(first);
    expect(slots.takeNext()).toBe(first);
  });

  it('refuse what they do not have', () => {
    const slots = new Slots(3);
    expect([slots.take(-1), slots.take(3), slots.take(2), slots.take(2)]).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect([slots.release(-1), slots.release(3), slots.release(0)]).toEqual([false, false, false]);
    expect(new Slots(0).takeNext()).toBeUndefined();
  });

  it('do as a plain set does, whatever their size', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('next' as const), at: fc.constant(0) }),
      fc.record({
        do: fc.constantFrom('take' as const, 'release' as const, 'seek' as const),
        at: fc.nat(1100),
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1100 }), fc.array(step, { maxLength: 200 }), (size, steps) => {
        const slots = new Slots(size);
        const model = new Set<number>();
        let cursor = 0;
        for (const { do: what, at } of steps) {
          if (what === 'next') {
            const start = cursor < size ? cursor : 0;
            const order = Array.from({ length: size }, (_, i) => (start + i) % size);
            const expected = order.find((number) => !model.has(number));
            expect(slots.takeNext()).toBe(expected);
            if (expected === undefined) continue;
            model.add(expected);
            cursor = expected + 1;
          } else if (what === 'take') {
            const fits = at < size && !model.has(at);
            expect(slots.take(at)).toBe(fits);
            if (!fits) continue;
            model.add(at);
          } else if (what === 'seek') {
            slots.seekBehind(at);
            cursor = Math.max(cursor, at + 1);
          } else expect(slots.release(at)).toBe(model.delete(at));
          expect(slots.free).toBe(size - model.size);
        }
      }),
    );
  });

  it('find the one free number among a million', () => {
    const slots = new Slots(1 << 20);
    for (let i = 0; i < 1 << 20; i++) slots.takeNext();
    slots.release(777_777);
    for (let i = 0; i < 10_000; i++) {
      expect(slots.takeNext()).toBe(777_777);
      slots.release(777_777);
    }
  });
});
