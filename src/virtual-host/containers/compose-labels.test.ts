import { describe, expect, it } from 'vitest';
import { replacedBy } from './compose-labels.ts';

const web = (number: string, oneOff = 'False'): Record<string, string> => ({
  'com.docker.compose.project': 'shop',
  'com.docker.compose.service': 'web',
  'com.docker.compose.container-number': number,
  'com.docker.compose.oneoff': oneOff,
});

describe('what a container of Compose replaces', () => {
  it('is the one of the same project, service and number', () => {
    const isReplaced = replacedBy(web('1'));
    expect(isReplaced?.(web('1'))).toBe(true);
    expect(isReplaced?.(web('2'))).toBe(false);
    expect(isReplaced?.({ ...web('1'), 'com.docker.compose.project': 'other' })).toBe(false);
    expect(isReplaced?.({})).toBe(false);
  });

  it('is nothing for one-off containers and those without the labels', () => {
    expect(replacedBy(web('1', 'True'))).toBeUndefined();
    expect(replacedBy(web('1'))?.(web('1', 'True'))).toBe(false);
    expect(replacedBy({ app: 'web' })).toBeUndefined();
  });
});
