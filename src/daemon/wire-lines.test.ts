import { expect, test } from 'vitest';
import type { Json } from '../base/json.ts';
import type { LogLine } from '../dispatcher/index.ts';
import { lineFromJson, lineToJson, wishFromJson, wishToJson } from './wire-lines.ts';

const LINE: LogLine = {
  ...{ serviceId: 's', nodeId: 'n', taskId: 't', stream: 'stderr' },
  timestampNs: 1_700_000_000_123_456_789n,
  data: Buffer.from([0, 255, 10]),
  attrs: [{ key: '__proto__', value: 'v' }],
};

test('what is asked for, and what comes, is the same on the other side', () => {
  const wish = {
    selector: { serviceIds: ['s'], nodeIds: [], taskIds: ['t'] },
    options: {
      streams: ['stdout' as const],
      follow: true,
      tail: 0,
      sinceMs: 1.5,
      goOnFrom: new Map([['__proto__', 9_007_199_254_740_993_000n]]),
    },
  };
  expect(wishFromJson(JSON.parse(JSON.stringify(wishToJson(wish))))).toEqual(wish);
  const [json = ''] = lineToJson(LINE);
  expect(lineFromJson(JSON.parse(json) as Json)).toEqual(LINE);
});

test('long lines go in pieces, and empty ones go', () => {
  const data = Buffer.alloc(600_000, 'x');
  const pieces = [...lineToJson({ ...LINE, data })].map((json) => lineFromJson(JSON.parse(json) as Json));
  expect(pieces).toHaveLength(3);
  expect(Buffer.concat(pieces.map((piece) => piece.data))).toEqual(data);
  expect([...lineToJson({ ...LINE, data: new Uint8Array() })]).toHaveLength(1);
});

test('what is none of that is empty, or refused', () => {
  expect(wishFromJson({ selector: 5, options: { streams: 'x', goOnFrom: 7, tail: -4 } })).toEqual({
    selector: { serviceIds: [], nodeIds: [], taskIds: [] },
    options: { streams: [], follow: false, tail: 0, goOnFrom: new Map() },
  });
  expect(() => wishFromJson({ options: { goOnFrom: [['n', '1e9']] } })).toThrow('a time of a log');
  expect(() => lineFromJson({ timestampNs: -1 })).toThrow('a time of a log');
});
