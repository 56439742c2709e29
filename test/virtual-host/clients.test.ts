import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  dockerClis,
  run,
  startHosts,
  tryRun,
  until,
  type CommandResult,
  type Hosts,
} from '../hosts/index.ts';
import { cliAt } from './cli.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, type Answer } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;
const folder = mkdtempSync(join(tmpdir(), 'skep-clients-'));

beforeAll(async () => {
  // The oldest engine that is served, and a new one that no longer speaks to the oldest clients.
  hosts = await startHosts({ count: 2, engine: ['20.10', '28.5'] });
  swarm = await startSwarm(hosts);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const nodes = ['core-01', 'core-02'] as const;

describe('old and new engines in one pool', () => {
  it('advertise what all of them speak', async () => {
    const ping = await call(swarm.url, 'GET', '/_ping');
    expect(ping.headers['api-version']).toBe('1.41');
    const version = await call(swarm.url, 'GET', '/version');
    expect(version.json<{ ApiVersion: string; MinAPIVersion: string }>()).toMatchObject({
      ApiVersion: '1.41',
      MinAPIVersion: '1.21',
    });
  });

  it.each(['1.42', '1.51', '1.999', '2.0'])('refuse a client of %s', async (version) => {
    const answer = await call(swarm.url, 'GET', `/v${version}/containers/json`);
    expect([answer.status, answer.message]).toEqual([
      400,
      `client version ${version} is too new. Maximum supported API version is 1.41`,
    ]);
  });

  it.each(['1.20', '1.1', '0.5'])('refuse a client of %s', async (version) => {
    const answer = await call(swarm.url, 'GET', `/v${version}/containers/json`);
    expect(answer.status).toBe(400);
    expect(answer.text).toBe(
      `client version ${version} is too old. Minimum supported API version is 1.21, please upgrade your client to a newer version\n`,
    );
  });

  it('serve every docker CLI', async () => {
    for (const which of await dockerClis()) {
      const docker = cliAt(swarm.host, which);
      for (const node of nodes) {
        const name = `on-${node}`;
        await docker(
          'run',
          '-d',
          '--name',
          name,
          '-e',
          `constraint:node==${node}`,
          'busybox',
          'sleep',
          '1000',
        );
        expect(await docker('exec', name, 'echo', 'here')).toBe('here');
        expect(await docker('inspect', '-f', '{{.Node.Name}}', name)).toBe(node);
        expect((await docker.try(['exec', name, 'sh', '-c', 'exit 4'])).code).toBe(4);
        expect(await docker('ps', '--format', '{{.Names}}')).toBe(`${node}/${name}`);
        await docker('rm', '-f', name);
      }
    }
  });
});

describe('clients of API 1.21', () => {
  const old = (method: string, path: string, body?: object): Promise<Answer> =>
    call(swarm.url, method, `/v1.21${path}`, body === undefined ? {} : { body });

  it.each(nodes)('make, start, read and remove a container on %s', async (node) => {
    const body = {
      Image: 'busybox',
      Cmd: ['sh', '-c', 'echo out; mkdir /made; echo file > /made/it; sleep 1000'],
      Env: [`constraint:node==${node}`],
      HostConfig: { Memory: 64 << 20 },
    };
    const made = await old('POST', '/containers/create?name=old', body);
    expect(made.status).toBe(201);
    const refused = await old('POST', '/containers/old/start', {
      PortBindings: { '80/tcp': [{ HostPort: '80' }] },
    });
    expect([refused.status, refused.text]).toEqual([
      400,
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24\n',
    ]);
    expect((await old('POST', '/containers/old/start', {})).status).toBe(204);
    expect((await old('POST', '/containers/old/start')).status).toBe(304);
    const seen = (await old('GET', '/containers/old/json')).json<{
      Node: { Name: string };
      State: { Running: boolean };
    }>();
    expect([seen.Node.Name, seen.State.Running]).toEqual([node, true]);
    const listed = (await old('GET', '/containers/json')).json<{ Names: string[]; Status: string }[]>();
    expect(listed).toMatchObject([
      { Names: [`/${node}/old`], Status: expect.stringMatching(/^Up /) as string },
    ]);
    await until('its output', 10_000, async () =>
      (await old('GET', '/containers/old/logs?stdout=1')).text.includes('out\n') ? true : undefined,
    );
    const archive = join(folder, 'copied.tar');
    await until('the copy', 10_000, async () => {
      const copied = await old('POST', '/containers/old/copy', { Resource: '/made/it' });
      if (copied.status !== 200) return undefined;
      writeFileSync(archive, copied.body);
      return true;
    });
    expect(await run('tar', ['-xOf', archive, 'it'])).toBe('file');
    const exec = await old('POST', '/containers/old/exec', { Cmd: ['echo', 'hi'], AttachStdout: true });
    const ran = await old('POST', `/exec/${exec.json<{ Id: string }>().Id}/start`, {
      Detach: false,
      Tty: false,
    });
    expect(ran.text).toContain('hi\n');
    const info = (await old('GET', '/info')).json<{ DriverStatus: [string, string][]; Containers: number }>();
    expect(info.DriverStatus.find(([key]) => key.trim() === node)).toBeDefined();
    expect((await old('DELETE', '/containers/old?force=1')).status).toBe(204);
  });

  it('get errors as text', async () => {
    for (const [method, path] of [
      ['GET', '/containers/nobody/json'],
      ['POST', '/containers/nobody/start'],
      ['DELETE', '/containers/nobody'],
      ['POST', '/containers/nobody/attach'],
    ] as const) {
      const answer = await old(method, path);
      expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([
        404,
        'text/plain; charset=utf-8',
        'No such container: nobody\n',
      ]);
    }
    expect((await call(swarm.url, 'GET', '/v1.23/containers/nobody/json')).text).toBe(
      'No such container: nobody\n',
    );
    expect((await call(swarm.url, 'GET', '/v1.24/containers/nobody/json')).text).toContain('{"message":');
  });
});

describe('dockerode', () => {
  const demux = (stream: NodeJS.ReadableStream, out: NodeJS.WritableStream): void => {
    const modem = new Docker().modem as {
      demuxStream(from: NodeJS.ReadableStream, out: NodeJS.WritableStream, err: NodeJS.WritableStream): void;
    };
    modem.demuxStream(stream, out, out);
  };

  it.each(nodes)('makes, attaches, executes, copies, follows and removes on %s', async (node) => {
    const { hostname, port } = new URL(swarm.url);
    const docker = new Docker({ host: hostname, port: Number(port) });
    const container = await docker.createContainer({
      Image: 'busybox',
      name: 'ode',
      Cmd: ['cat'],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      Env: [`constraint:node==${node}`],
    });
    const events = await docker.getEvents({ filters: { container: [container.id] } });
    let told = '';
    events.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
    const out = new PassThrough();
    let said = '';
    out.on('data', (chunk: Buffer) => (said += chunk.toString()));
    demux(stream, out);
    await container.start();
    stream.write('hello\n');
    await until('the echo', 10_000, () => (said === 'hello\n' ? true : undefined));

    const exec = await container.exec({
      Cmd: ['sh', '-c', 'cat; exit 3'],
      AttachStdin: true,
      AttachStdout: true,
    });
    const running = await exec.start({ hijack: true, stdin: true });
    let echoed = '';
    const execOut = new PassThrough();
    execOut.on('data', (chunk: Buffer) => (echoed += chunk.toString()));
    demux(running, execOut);
    running.end('into exec\n');
    await until('the exec', 10_000, async () => ((await exec.inspect()).ExitCode === 3 ? true : undefined));
    expect(echoed).toBe('into exec\n');

    writeFileSync(join(folder, 'in'), 'put there');
    await run('tar', ['-C', folder, '-cf', join(folder, 'put.tar'), 'in']);
    await container.putArchive(join(folder, 'put.tar'), { path: '/tmp' });
    const got = (await container.getArchive({ path: '/tmp/in' })) as unknown as AsyncIterable<Buffer>;
    const chunks: Buffer[] = [];
    for await (const chunk of got) chunks.push(chunk);
    writeFileSync(join(folder, 'got.tar'), Buffer.concat(chunks));
    expect(await run('tar', ['-xOf', join(folder, 'got.tar'), 'in'])).toBe('put there');

    const logs = await container.logs({ stdout: true, follow: true });
    let logged = '';
    logs.on('data', (chunk: Buffer) => (logged += chunk.toString()));
    const over = new Promise((resolve) => logs.on('end', resolve));
    stream.end();
    expect((await container.wait()) as unknown).toMatchObject({ StatusCode: 0 });
    await over;
    expect(logged).toContain('hello\n');
    await until('the events', 10_000, () => (/"start"/.test(told) && /"die"/.test(told) ? true : undefined));
    (events as unknown as { destroy(): void }).destroy();
    await container.remove();
    await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe('docker-compose 1.29', () => {
  it('brings a project up, shows it and takes it down', async () => {
    const file = join(folder, 'docker-compose.yml');
    const services = nodes.map(
      (node, at) => `  web${at}:
    image: nginx
    network_mode: bridge
    ports: ["${8090 + at}:80"]
    environment: ["constraint:node==${node}"]
`,
    );
    writeFileSync(file, `version: "2.4"\nservices:\n${services.join('')}`);
    const compose = (...args: string[]): Promise<CommandResult> =>
      tryRun('docker-compose', ['-p', 'proj', '-f', file, ...args], {
        env: { DOCKER_HOST: swarm.host, COMPOSE_HTTP_TIMEOUT: '60' },
      });
    const up = await compose('up', '-d');
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining('done') as string]);
    const listed = await compose('ps');
    expect(listed.stdout).toMatch(/proj_web0_1 .* Up /);
    expect(listed.stdout).toMatch(/proj_web1_1 .* Up /);
    for (const [at, host] of [...hosts].entries()) {
      await until('its page', 10_000, async () =>
        (await (await fetch(`http://${host.ip}:${8090 + at}/`)).text()).includes('stand-in')
          ? true
          : undefined,
      );
    }
    const exec = await compose('exec', '-T', 'web1', 'echo', 'in', 'there');
    expect(exec).toMatchObject({ code: 0, stdout: 'in there\n' });
    await until('the request in the logs', 10_000, async () =>
      (await compose('logs', 'web0')).stdout.includes('web0_1') ? true : undefined,
    );
    const again = await compose('up', '-d');
    expect(again.stderr).toContain('up-to-date');
    const down = await compose('down');
    expect(down.code).toBe(0);
    expect(await swarm.docker('ps', '-aq')).toBe('');
  });
});
