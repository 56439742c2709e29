import { describe, expect, it } from 'vitest';
import { randomName } from './random-name.ts';

describe('randomName', () => {
  it('puts two words together', () => {
    expect(
      randomName(
        () => false,
        () => 0,
      ),
    ).toBe('amber_alder');
    expect(
      randomName(
        () => false,
        () => 0.999,
      ),
    ).toBe('warm_willow');
  });

  it('goes on counting where names are taken', () => {
    const taken = new Set(['amber_alder', 'amber_alder2']);
    expect(
      randomName(
        (name) => taken.has(name),
        () => 0,
      ),
    ).toBe('amber_alder3');
  });
});
