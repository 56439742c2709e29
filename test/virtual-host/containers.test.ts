import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dockerClis, run, startHosts, until, type Host, type Hosts, noDockerConfig } from '../hosts/index.ts';
import { cliAt } from './cli.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, RawConnection, head } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;
const folder = mkdtempSync(join(tmpdir(), 'skep-containers-'));

beforeAll(async () => {
  hosts = await startHosts({ count: 3 });
  swarm = await startSwarm(hosts);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

afterEach(async () => {
  await Promise.all(
    [...hosts].map(async (host) => {
      const ids = (await host.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
      if (ids.length > 0) await host.docker('rm', '-f', '-v', ...ids);
    }),
  );
});

const SLEEP = ['busybox', 'sleep', '1000'];
const engineUrl = (host: Host): string => `http://${host.address}`;

/** Waits until the server behind a published port answers. */
function page(host: Host, port: number): Promise<string> {
  return until(`port ${port} of ${host.name}`, 20_000, async () =>
    (await fetch(`http://${host.ip}:${port}/`, { signal: AbortSignal.timeout(2_000) })).text(),
  );
}

describe.each(await dockerClis())('the docker CLI $version', (which) => {
  const docker = (): ReturnType<typeof cliAt> => cliAt(swarm.host, which);

  it('runs the lines of the guide', async () => {
    const cli = docker();
    await cli('run', '-d', '--name', 'web', '-p', '80:80', '-e', 'constraint:node==core-01', 'nginx');
    await cli('run', '-d', '-e', 'affinity:container==web', '--name', 'cache', 'redis');
    expect(await page(hosts.at(0), 80)).toContain('nginx stand-in');
    const listed = (await cli('ps', '--format', '{{.Names}}|{{.Image}}|{{.Ports}}')).split('\n').sort();
    expect(listed[0]).toBe('core-01/cache|redis|6379/tcp');
    expect(listed[1]).toContain(`core-01/web|nginx|${hosts.at(0).ip}:80->80/tcp`);
    expect(listed).toHaveLength(2);
    expect(await cli('exec', 'web', 'hostname')).toHaveLength(12);
    expect((await hosts.at(0).docker('ps', '-q')).split('\n')).toHaveLength(2);
  });

  it('carries exit codes, standard input and both outputs', async () => {
    const cli = docker();
    const ended = await cli.try(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(ended).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
    const piped = await cli.try(['run', '-i', '--rm', 'busybox', 'wc', '-c'], { input: 'x'.repeat(300_000) });
    expect(piped.stdout.trim()).toBe('300000');
    expect(await cli('ps', '-aq')).toBe('');
    const id = await cli('run', '-d', 'busybox', 'sh', '-c', 'sleep 0.3; exit 5');
    expect(await cli('wait', id)).toBe('5');
    const missing = await cli.try(['run', '--rm', 'busybox', '/no/such/program']);
    expect(missing.code).toBe(127);
    expect(await cli('ps', '-aq', '--filter', 'status=running')).toBe('');
  });

  it('executes: input to its end, many lines both ways, exit codes, detached', async () => {
    const cli = docker();
    await cli('run', '-d', '--name', 'box', 'busybox', 'sleep', '1000');
    expect((await cli.try(['exec', 'box', 'sh', '-c', 'exit 3'])).code).toBe(3);
    const lines = Array.from({ length: 200_000 }, (_, at) => `line ${at}`).join('\n') + '\n';
    const echoed = await cli.try(['exec', '-i', 'box', 'cat'], { input: lines });
    expect(echoed.code).toBe(0);
    expect(echoed.stdout === lines).toBe(true);
    await cli('exec', '-d', 'box', 'sh', '-c', 'echo made > /tmp/detached');
    await until('the detached exec', 10_000, async () =>
      (await cli('exec', 'box', 'cat', '/tmp/detached')) === 'made' ? true : undefined,
    );
  });

  it('gives a terminal that follows its window', async () => {
    await docker()('run', '-d', '--name', 'term', 'busybox', 'sleep', '1000');
    const line = `stty rows 30 cols 90; tty; exec ${which.path} exec -it term sh`;
    const child = spawn('script', ['-qefc', line, '/dev/null'], {
      stdio: 'pipe',
      env: { ...process.env, DOCKER_HOST: swarm.host, DOCKER_CONFIG: noDockerConfig, TERM: 'dumb' },
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const sizeIs = (size: string): Promise<true> =>
      until(`a terminal of ${size}: ${said}`, 15_000, () => {
        const last = said.match(/\d+ \d+(?=\r\n)/g)?.at(-1);
        if (last === size) return true;
        child.stdin.write('stty size\n');
        return undefined;
      });
    const tty = await until('the tty', 10_000, () => /\/dev\/pts\/\d+/.exec(said)?.[0]);
    await sizeIs('30 90');
    await run('stty', ['-F', tty, 'rows', '41', 'cols', '101']);
    await sizeIs('41 101');
    child.stdin.write('exit 9\n');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(9);
  });

  it('starts, stops, restarts, kills, pauses, renames, updates', async () => {
    const cli = docker();
    const state = (): Promise<string> =>
      cli('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'life');
    const restartable = ['sh', '-c', 'trap "exit 4" TERM; while :; do sleep 0.1; done'];
    await cli('create', '--name', 'life', 'busybox', ...restartable);
    expect(await state()).toBe('created 0');
    await cli('start', 'life');
    expect(await state()).toBe('running 0');
    // For a moment it is the runtime that is shown, not yet the command.
    await until('its command', 10_000, async () =>
      (await cli('top', 'life')).includes('while :;') ? true : undefined,
    );
    await cli('pause', 'life');
    expect(await state()).toBe('paused 0');
    expect(await cli('ps', '--format', '{{.Status}}')).toMatch(/\(Paused\)$/);
    await cli('unpause', 'life');
    await cli('stop', 'life');
    expect(await state()).toBe('exited 4');
    expect(await cli('ps', '-a', '--format', '{{.Status}}')).toMatch(/^Exited \(4\) /);
    await cli('restart', 'life');
    expect(await state()).toBe('running 0');
    await cli('kill', '-s', 'KILL', 'life');
    expect(await state()).toBe('exited 137');
    await cli('update', '-m', '64m', '--memory-swap', '64m', 'life');
    expect(await cli('inspect', '-f', '{{.HostConfig.Memory}}', 'life')).toBe(String(64 << 20));
    await cli('rename', 'life', 'after');
    expect((await cli.try(['inspect', 'life'])).code).not.toBe(0);
    expect(await cli('ps', '-a', '--format', '{{.Names}}')).toMatch(/^core-0\d\/after$/);
    await cli('rm', 'after');
    expect(await cli('ps', '-aq')).toBe('');
  });

  it('copies both ways, and shows what has changed', async () => {
    const cli = docker();
    await cli('run', '-d', '--name', 'files', 'busybox', 'sleep', '1000');
    const [here, back] = [join(folder, 'big'), join(folder, 'back')];
    const bytes = randomBytes(20 << 20);
    writeFileSync(here, bytes);
    await cli('cp', here, 'files:/tmp/big');
    expect(await cli('exec', 'files', 'sha256sum', '/tmp/big')).toContain(
      createHash('sha256').update(bytes).digest('hex'),
    );
    await cli('cp', 'files:/tmp/big', back);
    expect(readFileSync(back).equals(bytes)).toBe(true);
    expect(await cli('diff', 'files')).toContain('A /tmp/big');
    await cli('export', '-o', back, 'files');
    const listing = await run('tar', ['-tvf', back]);
    expect(listing).toMatch(new RegExp(`${bytes.length} .* tmp/big`));
    const missing = await cli.try(['cp', 'files:/no/such/file', back]);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toMatch(/could not find|no such/i);
  });

  it('follows logs to the end of the container, and attaches', async () => {
    const cli = docker();
    const script = 'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; echo end >&2';
    await cli('run', '-d', '--name', 'talker', 'busybox', 'sh', '-c', script);
    const followed = await cli.try(['logs', '-f', 'talker']);
    expect(followed).toEqual({
      code: 0,
      stdout: 'line 1\nline 2\nline 3\nline 4\nline 5\n',
      stderr: 'end\n',
    });
    expect(await cli('logs', '--tail', '2', 'talker')).toBe('line 5');
    expect(await cli('logs', '--timestamps', '--tail', '1', 'talker')).toMatch(/^(\d{4}-.*Z end)?$/);
    await cli('create', '-i', '--name', 'reader', 'busybox', 'sh', '-c', 'read x; echo got $x; exit 6');
    const attached = await cli.try(['start', '-ai', 'reader'], { input: 'hello\n' });
    expect(attached).toEqual({ code: 6, stdout: 'got hello\n', stderr: '' });
  });

  it('shows statistics, once and on', async () => {
    const cli = docker();
    await cli('run', '-d', '--name', 'busy', 'busybox', 'sleep', '1000');
    const once1 = await cli('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', 'busy');
    expect(once1).toMatch(/busy [\d.]+\wi?B \/ /);
    const child = spawn(which.path, ['-H', swarm.host, 'stats', '--format', 'MEM {{.MemUsage}}', 'busy'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('statistics', 20_000, () => (said.match(/MEM [\d.]+\wi?B \//g) ?? [])[1]);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('says what is wrong in the words of an engine', async () => {
    const cli = docker();
    await cli('create', '--name', 'taken', 'busybox');
    await cli('create', '--name', 'other', 'busybox');
    const wrong = async (...args: string[]): Promise<string> => {
      const result = await cli.try(args);
      expect(result.code).not.toBe(0);
      return result.stderr;
    };
    expect(await wrong('start', 'nobody')).toContain('No such container: nobody');
    expect(await wrong('rm', 'nobody')).toContain('No such container: nobody');
    expect(await wrong('inspect', 'nobody')).toMatch(/no such object: nobody/i);
    expect(await wrong('logs', 'core-01/nobody')).toContain('No such container: core-01/nobody');
    expect(await wrong('create', '--name', 'taken', 'busybox')).toContain('The name taken is already');
    expect(await wrong('rename', 'other', 'taken')).toContain('The name taken is already');
    expect(await wrong('exec', 'taken', 'true')).toMatch(/Container [0-9a-f]{64} is not running/i);
    expect(await wrong('create', '-e', 'constraint:node==nowhere', 'busybox')).toContain(
      'Unable to find a node that satisfies the following conditions',
    );
    expect((await cli('ps', '-aq')).split('\n')).toHaveLength(2);
  });
});

describe('finding containers', () => {
  it('takes names, node/name, ids and id prefixes', async () => {
    const id = await swarm.docker('create', '--name', 'found', '-e', 'constraint:node==core-02', 'busybox');
    const inspect = (reference: string): Promise<string> =>
      swarm.docker('inspect', '-f', '{{.Id}} {{.Node.Name}} {{.Name}}', reference);
    for (const reference of [
      'found',
      '/found',
      'core-02/found',
      id,
      id.slice(0, 12),
      `core-02/${id.slice(0, 8)}`,
    ])
      expect(await inspect(reference)).toBe(`${id} core-02 /found`);
    for (const reference of ['core-01/found', 'foun', 'nowhere/found', `core-01/${id}`]) {
      const answer = await call(swarm.url, 'GET', `/containers/${encodeURIComponent(reference)}/json`);
      expect([answer.status, answer.message]).toEqual([404, `No such container: ${reference}`]);
    }
  });

  it('refuses a prefix of several as an engine does', async () => {
    const host = hosts.at(0);
    const create = async (): Promise<string> => {
      const made = await call(engineUrl(host), 'POST', '/containers/create', { body: { Image: 'busybox' } });
      return made.json<{ Id: string }>().Id;
    };
    // Seventeen ids can't all begin with another of sixteen digits.
    const ids = await Promise.all(Array.from({ length: 17 }, create));
    const digit = ids.map((id) => id.slice(0, 1)).find((one, at, all) => all.indexOf(one) !== at) ?? '';
    await until('all seventeen', 10_000, async () => {
      const list = await call(swarm.url, 'GET', '/containers/json?all=1');
      return list.json<unknown[]>().length === 17 ? true : undefined;
    });
    for (const version of ['', '/v1.24', '/v1.21']) {
      for (const [method, action] of [
        ['GET', '/json'],
        ['POST', '/start'],
        ['DELETE', ''],
      ] as const) {
        const path = `${version}/containers/${digit}${action}`;
        const direct = await call(engineUrl(host), method, path);
        const ours = await call(swarm.url, method, path);
        expect([ours.status, ours.text.trim()]).toEqual([direct.status, direct.text.trim()]);
        expect(ours.message).toContain('Multiple IDs found with provided prefix');
      }
    }
  });

  it('knows at once what was made, changed or removed at an engine', async () => {
    const host = hosts.at(1);
    for (let round = 0; round < 10; round += 1) {
      const name = `direct-${round}`;
      const made = await call(engineUrl(host), 'POST', `/containers/create?name=${name}`, {
        body: { Image: 'busybox', Cmd: ['sleep', '1000'] },
      });
      const { Id } = made.json<{ Id: string }>();
      const reference = round % 2 === 0 ? name : Id.slice(0, 14);
      const found = await call(swarm.url, 'GET', `/containers/${reference}/json`);
      expect(found.json<{ Id: string; Node: { Name: string } }>()).toMatchObject({
        Id,
        Node: { Name: 'core-02' },
      });
      expect((await call(swarm.url, 'POST', `/containers/${reference}/start`)).status).toBe(204);
      expect(await swarm.docker('ps', '--format', '{{.Names}}')).toContain(`core-02/${name}`);
      await call(engineUrl(host), 'DELETE', `/containers/${Id}?force=1`);
      expect((await call(swarm.url, 'POST', `/containers/${Id}/start`)).status).toBe(404);
    }
    await until('an empty list', 10_000, async () =>
      (await swarm.docker('ps', '-aq')) === '' ? true : undefined,
    );
  });

  it('tells two of one name apart by their nodes', async () => {
    for (const host of [hosts.at(0), hosts.at(2)]) await host.docker('create', '--name', 'twin', 'busybox');
    await until('both twins', 10_000, async () =>
      (await swarm.docker('ps', '-aq')).split('\n').length === 2 ? true : undefined,
    );
    const answer = await call(swarm.url, 'POST', '/containers/twin/start');
    expect(answer.status).toBe(400);
    expect(answer.message).toContain('core-01/twin');
    expect(answer.message).toContain('core-03/twin');
    expect(await swarm.docker('inspect', '-f', '{{.Node.Name}}', 'core-03/twin')).toBe('core-03');
    await swarm.docker('rm', 'core-01/twin');
    expect(await swarm.docker('inspect', '-f', '{{.Node.Name}}', 'twin')).toBe('core-03');
    const names = (await swarm.docker('ps', '-a', '--format', '{{.Names}}')).split('\n');
    expect(names).toEqual(['core-03/twin']);
  });

  it('tells the state an engine has just given a container', async () => {
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'flip',
      '-e',
      'constraint:node==core-01',
      'busybox',
      'sleep',
      '1000',
    );
    const status = async (): Promise<string> =>
      (await call(swarm.url, 'GET', '/containers/flip/json')).json<{ State: { Status: string } }>().State
        .Status;
    for (let round = 0; round < 10; round += 1) {
      expect((await call(engineUrl(hosts.at(0)), 'POST', '/containers/flip/kill')).status).toBe(204);
      await until('exited', 10_000, async () => ((await status()) === 'exited' ? true : undefined));
      expect((await call(swarm.url, 'POST', '/containers/flip/start')).status).toBe(204);
      expect(await status()).toBe('running');
    }
  });
});

describe('clients that leave', () => {
  /** This machine's ends of its connections to an engine. */
  const connections = async (host: Host): Promise<string[]> => {
    const listed = await run('ss', ['-Htn', 'state', 'established', 'dst', `${host.ip}:2375`]);
    return listed.match(/\S+(?=\s+\S+:2375)/g) ?? [];
  };
  /** Waits until `count` of those connections have ended. */
  const ended = (host: Host, open: readonly string[], count: number): Promise<true> =>
    until('the engine to be left alone', 20_000, async () => {
      const now = new Set(await connections(host));
      return open.filter((one) => !now.has(one)).length >= count ? true : undefined;
    });

  it('end what they followed at the engine as well', async () => {
    const host = hosts.at(0);
    await swarm.docker(
      ...['run', '-d', '--name', 'long', '-e', 'constraint:node==core-01', 'busybox'],
      ...['sh', '-c', 'while :; do echo tick; sleep 0.2; done'],
    );
    const paths = [
      ['GET', '/containers/long/logs?follow=1&stdout=1'],
      ['GET', '/containers/long/stats'],
      ['POST', '/containers/long/attach?stream=1&stdout=1'],
      ['POST', '/containers/long/wait'],
    ] as const;
    const clients = Array.from({ length: 3 }, () => paths)
      .flat()
      .map(([method, path]) => new RawConnection(swarm.url).send(head(method, path)));
    await Promise.all(clients.map((client) => client.receives(/^HTTP\/1\.1 200/)));
    const open = await connections(host);
    expect(open.length).toBeGreaterThanOrEqual(clients.length);
    for (const client of clients) client.socket.destroy();
    await ended(host, open, clients.length);
  });

  it('end an upload in the middle', async () => {
    const host = hosts.at(0);
    await swarm.docker(...['run', '-d', '--name', 'half', '-e', 'constraint:node==core-01'], ...SLEEP);
    const path = '/containers/half/archive?path=/tmp';
    writeFileSync(join(folder, 'half'), Buffer.alloc(1 << 20));
    await run('tar', ['-C', folder, '-cf', join(folder, 'half.tar'), 'half']);
    const begun = readFileSync(join(folder, 'half.tar')).subarray(0, 0x8000).toString('latin1');
    const unpacking = async (): Promise<boolean> => /docker-untar/.test(await host.exec('ps', '-eo', 'args'));
    for (const framing of ['Content-Length: 1050000', 'Transfer-Encoding: chunked']) {
      using client = new RawConnection(swarm.url);
      client.send(head('PUT', path, ['Content-Type: application/x-tar', framing]));
      client.send(framing.startsWith('T') ? `8000\r\n${begun}\r\n` : begun);
      await until('the upload at the engine', 20_000, async () => (await unpacking()) || undefined);
      const open = await connections(host);
      client.socket.destroy();
      await ended(host, open, 1);
      await until('nothing to unpack', 20_000, async () => ((await unpacking()) ? undefined : true));
    }
    // An engine that refuses does not read it all, and now and then its reset overtakes its answer.
    const refused = await until('a refusal', 20_000, () =>
      call(swarm.url, 'PUT', '/containers/half/archive?path=/no/such/folder', {
        body: Buffer.alloc(20 << 20),
        headers: { 'content-type': 'application/x-tar' },
      }),
    );
    expect([refused.status, refused.message]).toEqual([
      404,
      expect.stringContaining('/no/such/folder') as string,
    ]);
  });
});
