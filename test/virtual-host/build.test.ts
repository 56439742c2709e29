import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  dockerClis,
  ensureBuildx,
  startHosts,
  tryRun,
  until,
  type CommandResult,
  type Hosts,
  noDockerConfig,
} from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';

const DOCKERFILE = `FROM busybox
ARG WHO=nobody
RUN echo "$WHO" > /who
COPY file /file
CMD ["cat", "/who", "/file"]
`;

let hosts: Hosts;
let swarm: Swarm;
let folder: string;

beforeAll(async () => {
  hosts = await startHosts({
    count: 2,
    engine: ['20.10', '28.5'],
    labels: [{ disk: 'ssd' }, { disk: 'slow' }],
  });
  swarm = await startSwarm(hosts);
  folder = mkdtempSync(join(tmpdir(), 'skep-build-'));
  writeFileSync(join(folder, 'Dockerfile'), DOCKERFILE);
  writeFileSync(join(folder, 'file'), 'content\n');
}, 120_000);
afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
  if (folder) rmSync(folder, { recursive: true });
});

const LEGACY = { DOCKER_BUILDKIT: '0' };

function build(env: Record<string, string>, ...args: string[]): Promise<CommandResult> {
  return swarm.tryDocker(['build', ...args, folder], { env });
}

/** The nodes that have an image, as the manager's list tells. */
async function nodesWith(image: string): Promise<string[]> {
  const found: string[] = [];
  for (const host of hosts) {
    if ((await swarm.docker('images', '-q', '--filter', `node=${host.name}`, image)) !== '')
      found.push(host.name);
  }
  return found;
}

async function refusal(path: string): Promise<[number, string]> {
  const answer = await fetch(`${swarm.url}${path}`, { method: 'POST' });
  return [answer.status, ((await answer.json()) as { message: string }).message];
}

describe('the classic builder', () => {
  it.each([
    ['constraint:node==core-01', 'core-01'],
    ['constraint:node==core-02', 'core-02'],
    ['constraint:disk==ssd', 'core-01'],
    ['constraint:disk!=ssd', 'core-02'],
  ])('builds where %s says, and the engine does not see it', async (expression, node) => {
    const built = await build(
      LEGACY,
      '--build-arg',
      expression,
      '--build-arg',
      'WHO=bee',
      '-t',
      'app:1',
      '-q',
    );
    expect(built.stderr).not.toMatch(/not consumed|Error/);
    expect(built.stdout).toMatch(/^sha256:[0-9a-f]{64}\n/);
    expect(await nodesWith('app:1')).toEqual([node]);
    expect(await swarm.docker('run', '--rm', 'app:1')).toBe('bee\ncontent');
    await swarm.docker('rmi', 'app:1');
  });

  it('says why nothing fits', async () => {
    const nowhere = await build(LEGACY, '--build-arg', 'constraint:node==core-09');
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toMatch(/Unable to find a node that satisfies the following conditions/);
    expect(nowhere.stderr).toMatch(/node==core-09/);
    const large = await build(LEGACY, '-m', '900g');
    expect(large.stderr).toMatch(/no resources available to schedule container/);
  });

  it('takes cores and memory as a container does', async () => {
    const built = await build(LEGACY, '--cpu-shares', '1', '-m', '64m', '-t', 'small:1');
    expect(built.code).toBe(0);
    await swarm.docker('rmi', 'small:1');
  });

  it('shows the errors of the build', async () => {
    writeFileSync(join(folder, 'Bad'), 'FROM busybox\nRUN exit 3\n');
    const failed = await build(LEGACY, '-f', join(folder, 'Bad'));
    expect(failed.code).toBe(3);
    expect(failed.stderr).toMatch(/returned a non-zero code: 3/);
    rmSync(join(folder, 'Bad'));
  });

  it.each([
    ['/build?buildargs=%7Bx', 'error reading build args: not JSON'],
    ['/build?buildargs=%5B1%5D', 'error reading build args: expected an object'],
    ['/build?buildargs=%7B%22a%22%3A1%7D', 'error reading build args: a must be a string'],
    ['/build?memory=much', 'strconv.Atoi: parsing "much": invalid syntax'],
    [
      '/build?buildargs=%7B%22constraint%3Anode%22%3A%22%22%7D',
      expect.stringContaining('One of operator ==, !='),
    ],
  ])('refuses %s', async (path, message: unknown) => {
    expect(await refusal(path)).toEqual([400, message]);
  });

  it('stops when the client goes', async () => {
    const slow = join(folder, 'slow');
    mkdirSync(slow);
    writeFileSync(join(slow, 'Dockerfile'), 'FROM busybox\nRUN sleep 600\n');
    const args = ['-H', swarm.host, 'build', '--build-arg', 'constraint:node==core-01', '--no-cache', slow];
    const client = spawn('docker', args, { stdio: 'ignore', env: { ...process.env, ...LEGACY } });
    const running = (): Promise<string> => hosts.at(0).docker('ps', '-q');
    await until('the build to run', 20_000, async () => ((await running()) === '' ? undefined : true));
    client.kill('SIGKILL');
    await until('the build to end', 20_000, async () => ((await running()) === '' ? true : undefined));
  });

  it('survives a context that is half sent', async () => {
    await new Promise<void>((resolve) => {
      const headers = { 'content-type': 'application/x-tar', 'content-length': 1_000_000 };
      const upload = request(`${swarm.url}/build`, { method: 'POST', headers });
      upload.on('error', () => undefined);
      upload.write(Buffer.alloc(4096));
      setTimeout(() => {
        upload.destroy();
        resolve();
      }, 200);
    });
    expect(await swarm.docker('images', '-q', 'busybox')).not.toBe('');
  });
});

describe('BuildKit', () => {
  let env: Record<string, string>;
  beforeAll(async () => {
    env = { DOCKER_BUILDKIT: '1', DOCKER_CONFIG: (await ensureBuildx()).dockerConfig };
  }, 120_000);

  it('builds on one engine with the CLI of today', async () => {
    const built = await build(env, '--build-arg', 'WHO=kit', '-t', 'kit:1');
    expect(built.stderr).toMatch(/naming to docker\.io\/library\/kit:1/);
    expect(built.code).toBe(0);
    expect(await nodesWith('kit:1')).toEqual(['core-02']);
    expect(await swarm.docker('run', '--rm', 'kit:1')).toBe('kit\ncontent');
  });

  it('builds again from what was built, and from its cache', async () => {
    writeFileSync(join(folder, 'Next'), 'FROM kit:1\nRUN --mount=type=cache,target=/c echo next > /next\n');
    expect((await build(env, '-f', join(folder, 'Next'), '-t', 'next:1')).code).toBe(0);
    expect((await build(env, '-f', join(folder, 'Next'), '-t', 'next:1')).stderr).toMatch(/CACHED/);
    rmSync(join(folder, 'Next'));
  });

  it('has secrets from the client’s session', async () => {
    writeFileSync(
      join(folder, 'Secret'),
      'FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s > /copied\nCMD ["cat","/copied"]\n',
    );
    writeFileSync(join(folder, 'honey'), 'sweet\n');
    const built = await build(
      env,
      '-f',
      join(folder, 'Secret'),
      '--secret',
      `id=s,src=${join(folder, 'honey')}`,
      '-t',
      'secret:1',
    );
    expect(built.code).toBe(0);
    expect(await swarm.docker('run', '--rm', 'secret:1')).toBe('sweet');
  });

  it('builds with the old CLI, and for constraints only where its engine is', async () => {
    const old = (await dockerClis()).find(({ version }) => version.startsWith('20.10'));
    if (!old) throw new Error('Docker CLI 20.10 is missing');
    const oldBuild = (...args: string[]): Promise<CommandResult> =>
      tryRun(old.path, ['-H', swarm.host, 'build', ...args, folder], {
        env: { DOCKER_BUILDKIT: '1', DOCKER_CONFIG: noDockerConfig },
      });
    expect((await oldBuild('-t', 'old:1')).code).toBe(0);
    expect(await nodesWith('old:1')).toEqual(['core-02']);
    const there = await oldBuild('-t', 'old:2', '--build-arg', 'constraint:node==core-02');
    expect(there.code).toBe(0);
    const elsewhere = await oldBuild('-t', 'old:3', '--build-arg', 'constraint:node==core-01');
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toMatch(/BuildKit builds are done on core-02/);
  });

  it('builds on an engine of 20.10 as well', async () => {
    await using alone = await startSwarm(undefined, {
      discovery: `nodes://${hosts.at(0).address}`,
      healthy: 1,
    });
    const built = await alone.tryDocker(['build', '-t', 'kit:20', folder], { env });
    expect(built.stderr).toMatch(/naming to docker\.io\/library\/kit:20/);
    expect(built.code).toBe(0);
  });

  it('has its cache measured and pruned everywhere', async () => {
    const usage = (await (await fetch(`${swarm.url}/system/df`)).json()) as { BuildCache: { ID: string }[] };
    expect(usage.BuildCache.length).toBeGreaterThan(3);
    expect(await swarm.docker('builder', 'prune', '-af')).toMatch(/Total(:| reclaimed space:)/);
    const answer = await fetch(`${swarm.url}/build/prune?all=1`, { method: 'POST' });
    expect(await answer.json()).toMatchObject({ SpaceReclaimed: expect.any(Number) as number });
    expect(await refusal('/build/cancel')).toEqual([400, expect.stringContaining('build ID')]);
  });
});
