import { mkdtempSync, rmSync, symlinkSync, writeFileSync, existsSync, lstatSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { checkHealth } from './health.ts';
import { healthFile, report, reportListening, unreport, type HealthReport } from './health-file.ts';

let folder = '';
let file = '';
let env: NodeJS.ProcessEnv = {};
let lines = '';
const log = createLog('info', { write: (text) => (lines += text) });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'health-'));
  file = join(folder, 'health');
  env = { SWARM_HEALTH_FILE: file };
  lines = '';
});
afterEach(() => rmSync(folder, { recursive: true }));

const agent = (untilMs: number, trouble = ''): HealthReport => ({
  kind: 'agent',
  addr: 'a:1',
  untilMs,
  trouble,
});

test('an agent is well while its registration holds', async () => {
  report(file, agent(0, 'connection refused'), log);
  await expect(checkHealth([], env)).rejects.toThrow('a:1: not registered yet: connection refused');
  report(file, agent(Date.now() + 60_000, 'connection refused'), log);
  expect(await checkHealth([], env)).toMatch(/^registered a:1 for another \d+s\n$/);
  report(file, agent(Date.now() - 1), log);
  await expect(checkHealth([], env)).rejects.toThrow('a:1: the registration has run out');
  unreport(file);
  await expect(checkHealth([], env)).rejects.toThrow(`nothing reports here: '${file}': no such file`);
  expect(lines).toBe('');
});

test('a listener is well while it answers', async () => {
  const server: Server = createServer((req, res) => {
    res.writeHead(req.url === '/_ping' ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  reportListening(file, [{ kind: 'tcp', host: '', port }], log);
  expect(await checkHealth([], env)).toBe(`:${port} answers with status 200\n`);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  await expect(checkHealth([], env)).rejects.toThrow('connection refused');
  reportListening(file, [{ kind: 'unix', path: join(folder, 'none') }], log);
  await expect(checkHealth([], env)).rejects.toThrow('ENOENT');
});

test('what is no report is not believed', async () => {
  for (const text of ['', '{}', 'hello', '{"kind":"agent","untilMs":"soon"}']) {
    writeFileSync(file, text);
    await expect(checkHealth([], env)).rejects.toThrow(/not a report|not registered yet/);
  }
});

test('a report replaces a link and does not follow it', () => {
  const other = join(folder, 'other');
  symlinkSync(other, file);
  report(file, agent(0), log);
  expect(existsSync(other)).toBe(false);
  expect(lstatSync(file).isFile()).toBe(true);
});

test('a report that cannot be written is a warning', () => {
  report('/nowhere/health', agent(0), log);
  expect(lines).toContain(
    'level=warning msg="Cannot write the file for swarm health" path="/nowhere/health"',
  );
});

test('the variable names the file, and turns it off', () => {
  expect(healthFile(env)).toBe(file);
  expect(healthFile({ SWARM_HEALTH_FILE: '' })).toBeUndefined();
});
