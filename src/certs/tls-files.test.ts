import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { certify } from './certify.ts';
import { parseNodeNames } from './names.ts';
import { loadTlsFiles, type TlsFiles } from './tls-files.ts';
import { refuseOutOfTime, tlsWarnings } from './tls-findings.ts';
import { followTlsFiles } from './tls-renewal.ts';

const NOW_MS = Date.UTC(2031, 4, 2);
const DAY_MS = 24 * 3600_000;

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skep-tls-'));
  for (const [ca, days] of [
    ['a', 90],
    ['b', 40],
  ] as const) {
    const caFolder = join(folder, ca);
    const nodes = [parseNodeNames('core-01,10.0.0.1')];
    await certify({ caFolder, outFolder: caFolder, nodes, days, force: false, nowMs: NOW_MS });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

function files(options: { pair?: string; ca?: string; verify?: boolean } = {}): TlsFiles {
  const pair = join(folder, options.pair ?? 'a/core-01');
  const paths = {
    ca: join(folder, options.ca ?? 'a/ca.pem'),
    cert: join(pair, 'cert.pem'),
    key: join(pair, 'key.pem'),
  };
  return { ...loadTlsFiles(paths), verify: options.verify ?? true, paths };
}

describe('what is wrong with files that can be read', () => {
  test('nothing', () => {
    expect(tlsWarnings(files(), ['core-01', '10.0.0.1', '127.0.0.1'], NOW_MS)).toEqual([]);
    expect(() => refuseOutOfTime(files(), NOW_MS)).not.toThrow();
  });

  test('names the addresses that are missing, and the names there are', () => {
    const [warning, ...others] = tlsWarnings(files(), ['10.0.0.1', '10.0.0.9', 'core-09'], NOW_MS);
    expect(others).toEqual([]);
    expect(warning).toMatch(
      /\/a\/core-01\/cert\.pem\) has no name for 10\.0\.0\.9, core-09 \(it has: core-01, 10\.0\.0\.1, localhost, 127\.0\.0\.1, ::1\)/,
    );
  });

  test('another CA, and a certificate that is not for servers', () => {
    expect(tlsWarnings(files({ ca: 'b/ca.pem' }), [], NOW_MS)).toEqual([
      expect.stringContaining('is not signed by the CA of --tlscacert'),
    ]);
    expect(tlsWarnings(files({ ca: 'b/ca.pem', verify: false }), [], NOW_MS)).toEqual([]);
    expect(tlsWarnings(files({ pair: 'a/client' }), [], NOW_MS)).toEqual([
      expect.stringContaining('is not made for servers (extendedKeyUsage serverAuth)'),
    ]);
  });

  test('a bundle with the CA among others', () => {
    const bundle = join(folder, 'bundle.pem');
    const text = ['b/ca.pem', 'a/ca.pem'].map((path) => readFileSync(join(folder, path), 'utf8')).join('');
    writeFileSync(bundle, `# two\n${text}`);
    expect(tlsWarnings(files({ ca: 'bundle.pem' }), [], NOW_MS)).toEqual([]);
    writeFileSync(bundle, `${text}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`);
    expect(() => files({ ca: 'bundle.pem' })).toThrow('bundle.pem: a certificate in it cannot be read');
  });

  test('time: soon over, over, not yet', () => {
    const inDays = (days: number): string[] => tlsWarnings(files(), [], NOW_MS + days * DAY_MS);
    expect(inDays(59)).toEqual([]);
    expect(inDays(70)).toEqual([expect.stringContaining('expires on 2031-07-31, in 20 days: renew it')]);
    expect(() => refuseOutOfTime(files(), NOW_MS + 91 * DAY_MS)).toThrow('--tlscert');
    expect(() => refuseOutOfTime(files(), NOW_MS + 91 * DAY_MS)).toThrow('expired on 2031-07-31');
    expect(() => refuseOutOfTime(files(), NOW_MS - DAY_MS)).toThrow("is this machine's clock right?");
    const lax = files({ verify: false });
    expect(() => refuseOutOfTime(lax, NOW_MS + 91 * DAY_MS)).not.toThrow();
    expect(tlsWarnings(lax, [], NOW_MS + 91 * DAY_MS)).toEqual([expect.stringContaining('expired on')]);
  });

  test('a key that everybody can read', () => {
    const key = join(folder, 'a/core-01/key.pem');
    chmodSync(key, 0o640);
    expect(tlsWarnings(files(), [], NOW_MS)).toEqual([]);
    chmodSync(key, 0o644);
    expect(tlsWarnings(files(), [], NOW_MS)).toEqual([expect.stringContaining(`chmod 600 ${key}`)]);
    chmodSync(key, 0o600);
  });
});

test('files that were renewed are taken, half a renewal is not', async () => {
  const tls = files();
  const [before, other] = [{ ...tls }, files({ pair: 'b/core-01', ca: 'b/ca.pem' })];
  const lines: string[] = [];
  const log = createLog('info', { write: (text) => lines.push(text) });
  const stop = new AbortController();
  let nowMs = NOW_MS;
  const options = { signal: stop.signal, log, everyMs: 5, now: () => nowMs };
  const following = followTlsFiles(tls, options);
  const line = (words: string) =>
    expect.poll(() => lines.filter((text) => text.includes(words)).length, { timeout: 10_000 });

  copyFileSync(other.paths.key, tls.paths.key);
  await line('private key does not match public key').toBe(1);
  expect(tls).toEqual(before);
  copyFileSync(other.paths.cert, tls.paths.cert);
  copyFileSync(other.paths.ca ?? '', tls.paths.ca ?? '');
  await line('The TLS files were renewed').toBeGreaterThan(0);
  await expect.poll(() => tls.ca?.equals(other.ca ?? Buffer.alloc(0)), { timeout: 10_000 }).toBe(true);
  expect(tls.cert.equals(other.cert) && tls.key.equals(other.key)).toBe(true);
  expect(lines.filter((text) => text.includes('cannot be read again'))).toHaveLength(1);

  nowMs += 20 * DAY_MS;
  await line('expires on 2031-06-11, in 20 days').toBe(1);
  stop.abort();
  await following;
});
