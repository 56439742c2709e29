import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageArchive, startHosts, tryRun, until, type Host, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { REGISTRY_ARGS, startRegistry, type Registry } from './registry.ts';

interface ListedImage {
  Id: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  Created: number;
  Size: number;
  VirtualSize?: number;
}

let hosts: Hosts;
let swarm: Swarm;
let first: Host;
let second: Host;

beforeAll(async () => {
  hosts = await startHosts({ count: 2, extraDockerdArgs: REGISTRY_ARGS });
  swarm = await startSwarm(hosts);
  first = hosts.at(0);
  second = hosts.at(1);
});
afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
});

async function images(query = '', version = ''): Promise<ListedImage[]> {
  const answer = await fetch(`${swarm.url}${version}/images/json${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as ListedImage[];
}

function filters(value: object): string {
  return `?filters=${encodeURIComponent(JSON.stringify(value))}`;
}

async function tags(query: string): Promise<string[]> {
  return (await images(query)).flatMap((image) => image.RepoTags ?? []).sort();
}

/** Waits until the manager has heard of what was done at an engine. */
async function heard(name: string, there = true): Promise<void> {
  await until(`${name} ${there ? 'heard of' : 'gone'}`, 5_000, async () =>
    (await tags('')).includes(name) === there ? true : undefined,
  );
}

async function refusal(path: string, init: RequestInit = {}): Promise<[number, string]> {
  const answer = await fetch(`${swarm.url}${path}`, init);
  return [answer.status, ((await answer.json()) as { message: string }).message];
}

/** The lines of a progress answer. */
async function progress(path: string, init: RequestInit = {}): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${swarm.url}${path}`, { method: 'POST', ...init });
  expect(answer.status).toBe(200);
  const lines = (await answer.text()).trim().split(/\r?\n/);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the list', () => {
  it('has one entry for every image, with the names of all nodes', async () => {
    await second.docker('tag', 'redis', 'only:second');
    await heard('only:second');
    const list = await images();
    expect(list).toHaveLength(3);
    expect(list.find((image) => image.RepoTags?.includes('redis:latest'))?.RepoTags).toEqual([
      'redis:latest',
      'only:second',
    ]);
    expect(list.every((image) => image.VirtualSize === image.Size)).toBe(true);
    expect(await images('', '/v1.24')).toEqual(list);
    await second.docker('rmi', 'only:second');
    await heard('only:second', false);
  });

  it('is filtered as Docker filters', async () => {
    expect(await tags(filters({ reference: ['re*'] }))).toEqual(['redis:latest']);
    expect(await tags(filters({ reference: ['*:latest'] }))).toHaveLength(4);
    expect(await tags(filters({ reference: { alpine: true, 'nginx:lat*': true } }))).toEqual([
      'alpine:latest',
      'nginx:latest',
    ]);
    expect(await tags(filters({ reference: ['nothing/*'] }))).toEqual([]);
    expect(await tags(filters({ dangling: ['true'] }))).toEqual([]);
    expect(await tags(filters({ dangling: ['false'] }))).toHaveLength(4);
    expect(await tags(filters({ label: ['none'] }))).toEqual([]);
    expect(await tags(filters({ until: ['1h'] }))).toHaveLength(4);
    expect(await tags(filters({ until: ['2001-01-01'] }))).toEqual([]);
    expect(await tags('?all=1')).toHaveLength(4);
    // The name as an argument of its own is of clients before 1.41.
    expect((await images('?filter=redis', '/v1.40')).map((image) => image.RepoTags)).toEqual([
      ['redis:latest'],
    ]);
  });

  it('knows nodes, and what is older or newer', async () => {
    await swarm.docker('run', '--name', 'maker', 'busybox', 'touch', '/made');
    await swarm.docker('commit', '-c', 'LABEL made=here', 'maker', 'made:1');
    await swarm.docker('rm', 'maker');
    const there = await Promise.all(
      [...hosts].map(async (host) => (await tags(filters({ node: [host.name] }))).includes('made:1')),
    );
    expect(there.filter(Boolean)).toHaveLength(1);
    expect(await tags(filters({ label: ['made=here'] }))).toEqual(['made:1']);
    expect(await tags(filters({ 'label!': ['made'] }))).not.toContain('made:1');
    expect(await tags(filters({ since: ['redis'] }))).toEqual(['made:1']);
    expect(await tags(filters({ before: ['made:1'] }))).toHaveLength(4);
    expect((await images())[0]?.RepoTags).toEqual(['made:1']);
    await swarm.docker('rmi', 'made:1');
  });

  it.each([
    [filters({ colour: ['red'] }), "invalid filter 'colour'"],
    ['?filters=nonsense', 'invalid filter'],
    [filters({ dangling: ['perhaps'] }), "invalid filter 'dangling=[perhaps]'"],
    [filters({ reference: ['[a'] }), 'syntax error in pattern'],
    [filters({ until: ['yesterday'] }), 'time: invalid duration "yesterday"'],
  ])('refuses %s', async (query, message) => {
    expect(await refusal(`/images/json${query}`)).toEqual([400, message]);
  });

  it('refuses another image that is not there', async () => {
    expect(await refusal(`/images/json${filters({ since: ['nope'] })}`)).toEqual([
      404,
      'No such image: nope:latest',
    ]);
  });
});

describe('one image', () => {
  it('is found by every name', async () => {
    const id = await first.docker('inspect', '-f', '{{.Id}}', 'redis');
    const hex = id.replace('sha256:', '');
    const names = [
      'redis',
      'redis:latest',
      'docker.io/library/redis',
      'library/redis:latest',
      id,
      hex,
      hex.slice(0, 12),
    ];
    for (const name of [...names, id.slice(0, 15), hex.slice(0, 5)]) {
      expect(await swarm.docker('image', 'inspect', '-f', '{{.Id}}', name), name).toBe(id);
    }
    expect(await swarm.docker('history', '-q', 'redis')).toContain(hex.slice(0, 12));
  });

  it('is told missing in Docker’s words', async () => {
    expect(await refusal('/images/nope/json')).toEqual([404, 'No such image: nope:latest']);
    expect(await refusal('/images/re/po:1/history')).toEqual([404, 'No such image: re/po:1']);
    expect(await refusal('/images/nope', { method: 'DELETE' })).toEqual([404, 'No such image: nope:latest']);
    expect(await refusal('/images/nope/tag?repo=x', { method: 'POST' })).toEqual([
      404,
      'No such image: nope:latest',
    ]);
    expect((await refusal('/images/NOPE/json'))[1]).toMatch(/repository name must be lowercase/);
    const hex = 'f'.repeat(64);
    expect(await refusal(`/images/${hex}/json`)).toEqual([404, `No such image: sha256:${hex}`]);
  });

  it('is found at once where somebody made it at the engine', async () => {
    await second.docker('tag', 'redis', 'fresh:1');
    expect(await swarm.docker('image', 'inspect', '-f', '{{.Id}}', 'fresh:1')).toMatch(/^sha256:/);
    expect(await swarm.docker('rmi', 'fresh:1')).toBe('Untagged: fresh:1');
  });

  it('is tagged and removed wherever it is', async () => {
    await swarm.docker('tag', 'redis', 'cache/box:1');
    for (const host of hosts) expect(await host.docker('images', '-q', 'cache/box:1')).not.toBe('');
    expect(await tags(filters({ reference: ['cache/box'] }))).toEqual(['cache/box:1']);
    expect(await swarm.docker('rmi', 'cache/box:1')).toBe('Untagged: cache/box:1');
    for (const host of hosts) expect(await host.docker('images', '-q', 'cache/box:1')).toBe('');
    expect(await refusal('/images/redis/tag?repo=NO', { method: 'POST' })).toEqual([
      expect.any(Number),
      expect.stringMatching(/repository name must be lowercase/),
    ]);
  });

  it('that one node can’t remove is told, with where it was removed', async () => {
    await swarm.docker('tag', 'redis', 'busy:1');
    await second.docker('create', '--name', 'holder', 'busy:1');
    const refused = await swarm.tryDocker(['rmi', 'busy:1']);
    expect(refused.code).toBe(0); // redis:latest is left, so the container keeps its image
    await swarm.docker('tag', 'nginx', 'busy:2');
    await swarm.docker('rmi', 'nginx');
    await second.docker('create', '--name', 'holder2', 'busy:2');
    const [status, message] = await refusal('/images/busy:2', { method: 'DELETE' });
    expect(status).toBe(409);
    expect(message).toMatch(
      /^core-02: conflict: unable to remove repository reference "busy:2".*\(removed on core-01\)$/,
    );
    expect(await swarm.docker('rmi', '-f', 'busy:2')).toMatch(/Untagged: busy:2/);
    await second.docker('rm', 'holder', 'holder2');
    await swarm.docker('load', '-q', '-i', await imageArchive());
  });
});

describe('archives', () => {
  it('come from one engine and go to all', async () => {
    const archive = Buffer.from(
      await (await fetch(`${swarm.url}/images/get?names=redis&names=nginx:latest`)).arrayBuffer(),
    );
    await swarm.docker('rmi', 'redis', 'nginx');
    expect(await tags('')).toEqual(['alpine:latest', 'busybox:latest']);
    const lines = await progress('/images/load', { body: archive });
    expect(lines.filter(({ id }) => id === 'core-02').at(-1)).toMatchObject({
      status: 'Loading image... : loaded',
    });
    expect(
      lines
        .map(({ stream }) => stream)
        .filter(Boolean)
        .sort(),
    ).toEqual(['Loaded image: nginx:latest\n', 'Loaded image: redis:latest\n']);
    for (const host of hosts) expect(await host.docker('images', '-q', 'nginx')).not.toBe('');
    const quiet = await progress('/images/load?quiet=1', { body: archive });
    expect(quiet.map((line) => Object.keys(line))).toEqual([['stream'], ['stream']]);
    const one = await tryRun('sh', [
      '-c',
      `docker -H ${swarm.host} save redis | docker -H ${swarm.host} load`,
    ]);
    expect(one.stdout).toContain('Loaded image: redis:latest');
  });

  it('of images that no node has together are refused', async () => {
    await first.docker('tag', 'redis', 'on:first');
    await second.docker('tag', 'redis', 'on:second');
    await heard('on:first');
    await heard('on:second');
    expect(await refusal('/images/get?names=on:first&names=on:second')).toEqual([
      409,
      'No node has all of these images: on:first is on core-01; on:second is on core-02',
    ]);
    expect(await refusal('/images/get?names=nope')).toEqual([404, 'No such image: nope:latest']);
    expect(await refusal('/images/get')).toEqual([400, 'no images named: names must be given']);
    await swarm.docker('rmi', 'on:first', 'on:second');
  });

  it('become one image of the cluster by an import', async () => {
    const tar = await tryRun('sh', [
      '-c',
      `tar -C /usr/share -c common-licenses | docker -H ${swarm.host} import -c 'CMD ["sh"]' - imported:1`,
    ]);
    const id = tar.stdout.trim();
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    for (const host of hosts) expect(await host.docker('inspect', '-f', '{{.Id}}', 'imported:1')).toBe(id);
    const nameless = await tryRun('sh', [
      '-c',
      `tar -C /usr/share -c common-licenses | docker -H ${swarm.host} import -`,
    ]);
    for (const host of hosts)
      expect(await host.docker('inspect', '-f', '{{.Id}}', nameless.stdout.trim())).toMatch(/^sha256:/);
    expect(await swarm.docker('images', '-q', '--filter', 'dangling=true')).not.toBe('');
    await swarm.docker('rmi', 'imported:1', nameless.stdout.trim());
  });

  it('that are none are refused in the engine’s words', async () => {
    const bad = await tryRun('sh', ['-c', `echo garbage | docker -H ${swarm.host} load`]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toMatch(/unexpected EOF|invalid tar header/);
    expect(bad.stderr).not.toContain('core-0');
    const imported = await tryRun('sh', ['-c', `echo garbage | docker -H ${swarm.host} import - bad:1`]);
    expect(imported.code).toBe(1);
    // The words must reach a client that is still sending.
    for (const command of ['import - bad:1', 'load']) {
      const large = `head -c 50M /dev/urandom | docker -H ${swarm.host} ${command}`;
      expect((await tryRun('sh', ['-c', large])).stderr, command).toContain('invalid tar header');
    }
  });

  it('that were half sent leave nothing and hold nobody up', async () => {
    const archive = readFileSync(await imageArchive());
    await swarm.docker('rmi', 'redis');
    await new Promise<void>((resolve) => {
      const upload = request(`${swarm.url}/images/load`, {
        method: 'POST',
        headers: { 'content-length': archive.length },
      });
      upload.on('error', () => undefined);
      upload.write(archive.subarray(0, archive.length / 2), () => {
        setTimeout(() => {
          upload.destroy();
          resolve();
        }, 200);
      });
    });
    expect(await tags(filters({ reference: ['redis'] }))).toEqual([]);
    await swarm.docker('load', '-q', '-i', await imageArchive());
    expect(await tags(filters({ reference: ['redis'] }))).toEqual(['redis:latest']);
  });
});

describe('with a registry', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry(first.ip.replace(/\d+$/, '1'));
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
  });

  it('pushes from a node that has it and pulls to all', async () => {
    const name = `${registry.name}/app`;
    await first.docker('tag', 'redis', `${name}:1`);
    await heard(`${name}:1`);
    expect(await swarm.docker('push', `${name}:1`)).toContain('digest: sha256:');
    await swarm.docker('rmi', `${name}:1`);
    const pulled = await swarm.docker('pull', `${name}:1`);
    for (const node of ['core-01', 'core-02']) {
      expect(pulled).toContain(`${node}: Pulling ${name}:1...\n`);
      expect(pulled).toContain(`${node}: Pulling ${name}:1... : downloaded\n`);
    }
    expect(pulled).toMatch(/^Digest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for /m);
    for (const host of hosts) expect(await host.docker('images', '-q', `${name}:1`)).not.toBe('');
    const [image] = await images(filters({ reference: [name] }));
    expect(image?.RepoDigests).toHaveLength(1);
    const digest = image?.RepoDigests?.[0] ?? '';
    expect(await swarm.docker('image', 'inspect', '-f', '{{.Id}}', digest)).toBe(image?.Id);
    expect(await swarm.docker('pull', digest)).toContain(`core-02: Pulling ${digest}... : downloaded`);
    expect(await swarm.docker('rmi', digest, `${name}:1`)).toContain(`Untagged: ${digest}`);
    expect(await swarm.docker('pull', '-q', `${name}:1`)).toBe(`${name}:1`);
  });

  it('passes the registry’s words and status on where no engine can pull', async () => {
    const [status, message] = await refusal(`/images/create?fromImage=${registry.name}/app&tag=9`, {
      method: 'POST',
    });
    expect(status).toBe(404);
    expect(message).toMatch(/^manifest for .*app:9 not found: manifest unknown/);
    const run = await swarm.tryDocker(['run', '--rm', `${registry.name}/nothing`]);
    expect(run.code).toBe(125);
    expect(run.stderr).toMatch(/Unable to find image/);
  });

  it('tells which engines could not pull', async () => {
    const name = `${registry.name}/app`;
    await swarm.docker('rmi', '-f', `${name}:1`);
    registry.refused.add(second.ip);
    const pulled = await swarm.tryDocker(['pull', `${name}:1`]);
    registry.refused.clear();
    expect(pulled.code).toBe(1);
    expect(pulled.stdout).toContain(`core-01: Pulling ${name}:1... : downloaded`);
    expect(pulled.stderr).toMatch(/^core-02: .*(not found|closed to you|unknown)/);
    expect(await first.docker('images', '-q', `${name}:1`)).not.toBe('');
  });

  it('gives the client’s credentials to the engines', async () => {
    const name = `${registry.name}/app:1`;
    const env = { DOCKER_CONFIG: mkdtempSync(join(tmpdir(), 'skep-login-')) };
    registry.login = 'bee:honey';
    const stranger = await swarm.tryDocker(['pull', name], { env });
    expect(stranger.stderr).toContain('no basic auth credentials');
    const wrong = await swarm.tryDocker(['login', '-u', 'bee', '-p', 'wax', registry.name], { env });
    expect(wrong.code).toBe(1);
    const login = await swarm.tryDocker(['login', '-u', 'bee', '-p', 'honey', registry.name], { env });
    expect(login.stdout).toContain('Login Succeeded');
    expect((await swarm.tryDocker(['pull', name], { env })).stdout).toContain('core-02: Pulling');
    expect((await swarm.tryDocker(['push', name], { env })).stdout).toContain('digest: sha256:');
    registry.login = '';
    rmSync(env.DOCKER_CONFIG, { recursive: true });
  });
});

describe('an engine that stops in the middle of an upload', () => {
  it('is left behind, and named', async () => {
    await using quick = await startSwarm(hosts, {
      args: [
        '--engine-refresh-min-interval',
        '1s',
        '--engine-refresh-max-interval',
        '2s',
        '--engine-failure-retry',
        '1',
      ],
    });
    const archive = readFileSync(await imageArchive());
    await quick.docker('rmi', 'redis');
    const upload = request(`${quick.url}/images/load?quiet=1`, { method: 'POST' });
    const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
    upload.write(archive.subarray(0, 4096));
    await new Promise((resolve) => setTimeout(resolve, 300));
    second.pause();
    try {
      upload.end(archive.subarray(4096));
      const [answer] = await answered;
      const lines = (await text(answer)).trim().split(/\r?\n/);
      expect(lines).toContain('{"stream":"Loaded image: redis:latest\\n"}');
      expect(lines.at(-1)).toMatch(/"error":"core-02: the node is Unhealthy/);
    } finally {
      second.resume();
    }
    expect(await first.docker('images', '-q', 'redis')).not.toBe('');
  });
});
