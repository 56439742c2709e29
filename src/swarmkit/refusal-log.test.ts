import { expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { NO_CERTIFICATE, type Peer } from './identity.ts';
import { RefusalLog } from './refusal-log.ts';

const HOUR_MS = 3600_000;

test('a certificate that is worth nothing is told of once an hour for each address', () => {
  const lines: string[] = [];
  const log = new RefusalLog(createLog('info', { write: (line) => void lines.push(line) }));
  const peer = (addr: string, refusal = 'it has expired'): Peer => ({ addr, refusal, expiresAtMs: 0 });
  log.see(peer('10.0.0.1'), 0);
  log.see(peer('10.0.0.1'), HOUR_MS - 1);
  log.see(peer('10.0.0.2'), 5);
  log.see(peer('10.0.0.1'), HOUR_MS);
  // A joiner has none yet.
  log.see(peer('10.0.0.3', NO_CERTIFICATE), 0);
  const identity = { nodeId: 'a', role: 'worker', organization: 'b' } as const;
  log.see({ ...peer('10.0.0.4', ''), identity }, 0);
  expect(lines.map((line) => /addr=(\S+)/.exec(line)?.[1])).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.1']);
  expect(lines[0]).toContain('it has expired');
});
