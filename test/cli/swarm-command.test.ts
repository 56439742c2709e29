import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run, SWARM } from './swarm-process.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'swarm-command-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Lays out files; `bin/swarm` is copied, the rest is text that may be run. */
function lay(files: Record<string, string>, swarm: string): string {
  const target = join(folder, swarm);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    chmodSync(join(folder, path), 0o755);
  }
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(SWARM, target);
  return target;
}

const node = (version: string, name: string): string =>
  `#!/bin/sh\n[ "$1" = --version ] && { echo ${version}; exit; }\necho ${name} "$@"\n`;
const bundled = `node-linux-${process.arch}`;

test('lists nodes, expanded, with options on both sides', async () => {
  writeFileSync(join(folder, 'nodes'), '10.0.0.[1:2] # pool\n\n#gone\nb:1\n');
  const listed = await run(['list', `file://${folder}/nodes`, '-timeout=1m30s']);
  expect(listed).toEqual({ code: 0, stdout: '10.0.0.1:2375\n10.0.0.2:2375\nb:1\n', stderr: '' });
  const env = { SWARM_DISCOVERY: 'nodes://a,[::1]' };
  expect(await run(['l', '--timeout', '1s'], env)).toEqual({
    code: 0,
    stdout: 'a:2375\n[::1]:2375\n',
    stderr: '',
  });
});

test('starts through links, absolute and relative, from any folder', async () => {
  const plain = await run(['--version']);
  symlinkSync(SWARM, join(folder, 'one'));
  symlinkSync('one', join(folder, 'two words'));
  expect(await run(['--version'], {}, join(folder, 'two words'))).toEqual(plain);
});

test('starts an installed package with the Node beside it', async () => {
  const swarm = lay(
    {
      'node_modules/skep/dist/cli/main.js': '',
      [`node_modules/${bundled}/bin/node`]: node('v24.1.0', 'hoisted'),
      'path/node': node('v20.0.0', 'system'),
    },
    'node_modules/skep/bin/swarm',
  );
  mkdirSync(join(folder, 'node_modules/.bin'));
  symlinkSync('../skep/bin/swarm', join(folder, 'node_modules/.bin/swarm'));
  const { stdout } = await run(['a b', '-x'], {}, join(folder, 'node_modules/.bin/swarm'));
  expect(stdout).toBe(`hoisted ${join(folder, 'node_modules/skep/dist/cli/main.js')} a b -x\n`);
  lay({ [`node_modules/skep/node_modules/${bundled}/bin/node`]: node('v25.0.0', 'nested') }, 'other');
  expect((await run([], {}, swarm)).stdout).toContain('nested');
});

test('takes the Node on PATH where there is no other, if it is new enough', async () => {
  const swarm = lay({ 'dist/cli/main.js': '', 'path/node': node('v26.0.0', 'system') }, 'bin/swarm');
  const env = { PATH: `${join(folder, 'path')}:/usr/bin:/bin` };
  expect((await run(['x'], env, swarm)).stdout).toBe(`system ${join(folder, 'dist/cli/main.js')} x\n`);
  writeFileSync(join(folder, 'path/node'), node('v22.9.0', 'system'));
  const refused = await run([], env, swarm);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(
    /^swarm: needs Node 24 or newer, found v22\.9\.0; run: npm install[^\n]*\n$/,
  );
});

test('says npm install where packages or the program are missing', async () => {
  const checkout = lay({ 'src/cli/main.ts': '' }, 'bin/swarm');
  const missing = await run([], {}, checkout);
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toMatch(/^swarm: [^\n]*run: npm install[^\n]*\n$/);
  rmSync(join(folder, 'src'), { recursive: true });
  expect((await run([], {}, checkout)).stderr).toMatch(/^swarm: [^\n]*run: npm install[^\n]*\n$/);
});

test('manages until a signal, as one process', async () => {
  const path = join(folder, 's.sock');
  const child = spawn(SWARM, ['manage', '-H', `unix://${path}`, '-H=127.0.0.1:0', '127.0.0.1:1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (line.includes('proto=tcp')) child.kill('SIGTERM');
  }
  const code = child.exitCode ?? ((await once(child, 'exit')) as [number])[0];
  expect(code).toBe(0);
  expect(lines.find((line) => line.includes('proto=unix'))).toContain(
    `level=info msg="Listening for HTTP" addr="${path}" proto=unix`,
  );
  expect(lines.join('\n')).toMatch(/msg="Listening for HTTP" addr="127\.0\.0\.1:\d+" proto=tcp/);
  expect(lines.join('\n')).not.toContain('without TLS');
});

test('a manager whose log reader goes away stays', async () => {
  const path = join(folder, 's.sock');
  const child = spawn(SWARM, ['--debug', 'manage', '-H', `unix://${path}`, '127.0.0.1:1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  // The engine that refuses makes lines in the next second.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(child.exitCode).toBeNull();
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a port in use is one line and exit 1; an open door is warned of', async () => {
  const holder = createServer().listen(0);
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  const { code, stdout } = await run(['manage', `-H=:${port}`, 'a']);
  holder.close();
  const lines = stdout.trimEnd().split('\n');
  expect(code).toBe(1);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain(`level=warning msg="Listening without TLS`);
  expect(lines[1]).toContain('address already in use. Choose another port (-H :PORT)');
  expect(lines[1]).toContain(`ss -ltnp 'sport = :${port}'`);
});

test('a second signal ends a manager that is still closing', async () => {
  const path = join(folder, 's.sock');
  const child = spawn(SWARM, ['manage', '-H', `unix://${path}`, '127.0.0.1:1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) {
    if (line.includes('Stopping')) child.kill('SIGTERM');
    if (!line.includes('proto=unix')) continue;
    // Half a request is work under way, for which a closing manager waits.
    const half = connect(path).on('error', () => undefined);
    half.write('GET /_ping HTTP/1.1\r\nHost: x\r\n', () => setTimeout(() => child.kill('SIGTERM'), 100));
  }
  expect(await exited).toEqual([143, null]);
});

test('npm scripts find the same Node, whatever Node starts them', async () => {
  const module = new URL('../../scripts/runtime.mjs', import.meta.url).href;
  const script = `import('${module}').then(({ runtimePath }) => console.log(runtimePath()))`;
  const { stdout: path } = await run(['-e', script], {}, 'node');
  const { stdout: version } = await run(['--version'], {}, path.trim());
  expect(Number(/^v(\d+)/.exec(version)?.[1])).toBeGreaterThanOrEqual(24);
});
