import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run as runTool, until } from '../hosts/index.ts';
import { issueServer, makeAuthority, type TlsFiles } from '../hosts/tls.ts';
import { run, start } from './swarm-process.ts';
import { startTokenService } from './token-service.ts';

const WAIT_MS = 30_000;
let folder = '';
let authority: TlsFiles;
let pair: { cert: string; key: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'swarm-token-'));
  authority = await makeAuthority(join(folder, 'ca'));
  pair = await issueServer(join(folder, 'ca'), 'tokens', '127.0.0.1');
});
afterAll(() => rmSync(folder, { recursive: true }));

const register = (url: string, token: string, address: string, ttl: number): Promise<Response> =>
  fetch(`${url}/v1/clusters/${token}?ttl=${ttl}`, { method: 'POST', body: address });

test.concurrent('tokens and registrations outlive restarts, and a kill', async () => {
  const state = join(folder, 'kept');
  await using first = await startTokenService(state);
  const env = { SWARM_TOKEN_URL: `${first.url}/v1` };
  const created = await run(['create'], env);
  expect(created).toMatchObject({ code: 0, stderr: '' });
  expect(created.stdout).toMatch(/^[0-9a-f]{32}\n$/);
  const token = created.stdout.trim();
  expect(await run(['list', `token://${token}`], env)).toEqual({ code: 0, stdout: '', stderr: '' });
  await register(first.url, token, '10.0.0.1:2375', 600);
  expect(await first.stop()).toBe(0);
  {
    await using second = await startTokenService(state, { port: first.port });
    await register(second.url, token, '10.0.0.2:2375', 600);
    await second.stop('SIGKILL');
  }
  expect((await run(['list', `token://${token}`], env)).stderr).toContain('connection refused');
  await using third = await startTokenService(state, { port: first.port });
  const listed = await run(['list', `token://${token}`], env);
  expect(listed).toEqual({ code: 0, stdout: '10.0.0.1:2375\n10.0.0.2:2375\n', stderr: '' });
  expect(await third.stop()).toBe(0);
});

test.concurrent('over TLS, which clients are asked for a certificate', async () => {
  const tls = ['--tlscacert', authority.ca, '--tlscert', pair.cert, '--tlskey', pair.key];
  await using service = await startTokenService(join(folder, 'tls'), { args: ['--tlsverify', ...tls] });
  const files = { cacertfile: authority.ca, certfile: authority.cert, keyfile: authority.key };
  const opts = Object.entries(files).flatMap(([key, path]) => ['--discovery-opt', `kv.${key}=${path}`]);
  const { stdout } = await run(['create', ...opts, '--discovery-opt', `token.url=${service.url}`]);
  const place = `token://127.0.0.1:${service.port}/v1/${stdout.trim()}`;
  expect(await run(['list', ...opts, place])).toEqual({ code: 0, stdout: '', stderr: '' });

  const without = async (env: NodeJS.ProcessEnv): Promise<string> => (await run(['create'], env)).stderr;
  const plain = { SWARM_TOKEN_URL: service.url.replace('https:', 'http:') };
  expect(await without(plain)).toContain('it speaks TLS there, not plain HTTP; say https://');
  const strange = { SWARM_TOKEN_URL: service.url };
  expect(await without(strange)).toContain('its certificate is signed by a CA that is not known here');
  const trusting = { ...strange, NODE_EXTRA_CA_CERTS: authority.ca };
  expect(await without(trusting)).toContain('it asks for a certificate');
  const system = { ...strange, SSL_CERT_FILE: authority.ca };
  expect(await without(system)).toContain('it asks for a certificate');
});

test.concurrent('a full disk is an answer in words, loses nothing, and passes', async () => {
  const state = join(folder, 'small');
  await runTool('mkdir', [state]);
  await runTool('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=700', 'small', state]);
  try {
    const token = 'a'.repeat(32);
    await using service = await startTokenService(state);
    expect((await register(service.url, token, 'first:1', 600)).status).toBe(200);
    await runTool('sh', ['-c', `head -c 1M /dev/zero > ${state}/filler || true`]);
    const refused = await until('a refusal', WAIT_MS, async () => {
      const answer = await register(service.url, token, `${'x'.repeat(200)}-${Math.random()}:1`, 600);
      return answer.status === 200 ? undefined : `${answer.status} ${await answer.text()}`;
    });
    expect(refused).toMatch(/^500 cannot write '.*discovery\.db': .*(full|I\/O)/);
    const before = (await (await fetch(`${service.url}/clusters/${token}`)).json()) as string[];
    expect(before).toContain('first:1');
    rmSync(join(state, 'filler'));
    expect((await register(service.url, token, 'last:1', 600)).status).toBe(200);
    await service.stop('SIGKILL');
    await using again = await startTokenService(state);
    const after = (await (await fetch(`${again.url}/clusters/${token}`)).json()) as string[];
    expect(after).toEqual([...before, 'last:1'].sort());
  } finally {
    await runTool('umount', [state]);
  }
});

test.concurrent('many hosts at once', async () => {
  await using service = await startTokenService(join(folder, 'many'));
  const token = 'b'.repeat(32);
  const names = Array.from({ length: 300 }, (_, i) => `host-${String(i).padStart(4, '0')}:2375`);
  const answers = await Promise.all(names.map((name) => register(service.url, token, name, 600)));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  const { stdout } = await run(['list', `token://${token}`], { SWARM_TOKEN_URL: service.url });
  expect(stdout).toBe(names.map((name) => `${name}\n`).join(''));
});

test.concurrent('a list of a service that is silent ends with its time', async () => {
  await using service = await startTokenService(join(folder, 'silent'));
  process.kill(service.pid, 'SIGSTOP');
  const token = `token://${'c'.repeat(32)}`;
  const listed = await run(['list', '--timeout', '500ms', token], { SWARM_TOKEN_URL: service.url });
  expect(listed).toMatchObject({ code: 1, stdout: '' });
  expect(listed.stderr).toContain('level=fatal msg="Timed out"');
  process.kill(service.pid, 'SIGCONT');
  expect(await service.stop()).toBe(0);
});

test.concurrent('a second service over one folder is refused', async () => {
  const state = join(folder, 'shared');
  await using service = await startTokenService(state);
  await using second = start(['discovery', '-H', '127.0.0.1:0', '--state-dir', state]);
  await until('the refusal', WAIT_MS, () => second.log().includes('another process uses it') || undefined);
  expect(await service.stop()).toBe(0);
});
