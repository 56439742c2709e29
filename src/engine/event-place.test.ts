import { describe, expect, it } from 'vitest';
import { parseExact } from '../base/exact-json.ts';
import { EventPlace } from './event-place.ts';
import type { EngineEvent } from './events.ts';

function event(nano: string, id = 'a'): EngineEvent {
  return parseExact(
    `{"Type":"container","Action":"start","Actor":{"ID":"${id}"},"timeNano":${nano}}`,
  ) as EngineEvent;
}

describe('EventPlace', () => {
  it('begins with what comes, and goes on a little before the latest', () => {
    const place = new EventPlace();
    expect(place.search).toBe('');
    place.opened(1_700_000_003_500);
    expect(place.search).toBe('?since=1700000003.500000000');
    expect(place.take(event('1700000005000000007'))).toBe(true);
    expect(place.take(event('1700000004000000000'))).toBe(true);
    place.opened(1_700_000_009_000);
    expect(place.search).toBe('?since=1700000004.000000007');
  });

  it('knows what was told before', () => {
    const place = new EventPlace();
    expect(place.take(event('1700000005000000007'))).toBe(true);
    expect(place.take(event('1700000005000000007'))).toBe(false);
    expect(place.take(event('1700000005000000008'))).toBe(true);
    expect(place.take(event('1700000005000000007', 'b'))).toBe(true);
  });

  it('takes events without a time as they come', () => {
    const place = new EventPlace();
    expect([place.take({ Type: 'x' }), place.take({ Type: 'x' }), place.search]).toEqual([true, true, '']);
  });
});
