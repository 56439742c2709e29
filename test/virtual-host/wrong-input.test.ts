import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, head, RawConnection } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
  swarm = await startSwarm(hosts);
  await swarm.docker(
    'run',
    '-d',
    '--name',
    'box',
    '-e',
    'constraint:node==core-01',
    'busybox',
    'sleep',
    '1000',
  );
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

async function alive(): Promise<void> {
  expect((await call(swarm.url, 'GET', '/_ping')).text).toBe('OK');
}

describe('bodies', () => {
  const create = (body: string, headers: Record<string, string> = {}): ReturnType<typeof call> =>
    call(swarm.url, 'POST', '/containers/create', { body, headers });

  it.each([
    ['half an object', '{'],
    ['an array', '[]'],
    ['a string', '"x"'],
    ['more behind', '{"Image":"busybox"} {}'],
    ['no command at all', '{}'],
    ['null', 'null'],
    ['nothing', ''],
    ['garbage', '\u0000\u0001\u0002'],
    ['an image of a wrong kind', '{"Image":5}'],
    ['no image', '{"Cmd":["true"]}'],
    ['a bad image name', '{"Image":"UPPER/Case"}'],
    ['an environment that is a text', '{"Image":"busybox","Env":"x"}'],
    ['an environment of numbers', '{"Image":"busybox","Env":[1]}'],
    ['labels that are a text', '{"Image":"busybox","Labels":"x"}'],
    ['labels of numbers', '{"Image":"busybox","Labels":{"a":1}}'],
    ['a host configuration that is a number', '{"Image":"busybox","HostConfig":5}'],
    ['less memory than nothing', '{"Image":"busybox","HostConfig":{"Memory":-5}}'],
    ['fewer cores than none', '{"Image":"busybox","HostConfig":{"NanoCpus":-5}}'],
    [
      'a port that is none',
      '{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"99999"}]}}}',
    ],
    ['deep nesting', `{"Image":"busybox","Env":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('refuses %s', async (_, body) => {
    const answer = await create(body);
    expect([answer.status, answer.headers['content-type']]).toEqual([400, 'application/json']);
    expect(answer.message).not.toBe('undefined');
    expect(answer.message).not.toBe('');
  });

  it('refuses what an engine refuses, in its words', async () => {
    for (const body of [
      '{"Image":"busybox","HostConfig":{"Memory":"1g"}}',
      '{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}',
      '{"Image":"busybox","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}',
      '{"Image":"busybox","Cmd":{}}',
      '{"Image":"no/such/image"}',
    ]) {
      const direct = await call(`http://${hosts.at(0).address}`, 'POST', '/containers/create', { body });
      const ours = await create(body);
      expect(direct.status).toBeGreaterThanOrEqual(400);
      expect([ours.status, ours.message]).toEqual([direct.status, direct.message]);
    }
  });

  it('reads names of members whatever their case, and whole numbers whatever their size', async () => {
    const limit = '9223372036854775807';
    const answer = await create(
      `{"image":"busybox","CMD":["true"],"env":["constraint:node==core-02"],"hostConfig":{"PidsLimit":${limit},"memory":67108864}}`,
    );
    expect(answer.status).toBe(201);
    const { Id } = answer.json<{ Id: string }>();
    const seen = await call(swarm.url, 'GET', `/containers/${Id}/json`);
    expect(seen.text).toContain(`"PidsLimit":${limit}`);
    expect(seen.text).toContain('"Name":"core-02"');
    const info = await call(swarm.url, 'GET', '/info');
    expect(info.text).toContain('64 MiB /');
    expect((await call(swarm.url, 'DELETE', `/containers/${Id}`)).status).toBe(204);
  });

  it('refuses another content type', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
      const answer = await create('{"Image":"busybox"}', { 'content-type': type });
      expect(answer.status).toBe(400);
      expect(answer.message).toContain("must be 'application/json'");
    }
    expect(
      (
        await create('{"Image":"busybox","Cmd":["true"]}', {
          'content-type': 'application/json; charset=utf-8',
        })
      ).status,
    ).toBe(201);
  });

  it.each([
    ['said beforehand', (size: number) => [`Content-Length: ${size}`]],
    ['in chunks', () => ['Transfer-Encoding: chunked']],
  ])('refuses more than it reads, %s', async (_, framing) => {
    const size = 17 << 20;
    using client = new RawConnection(swarm.url);
    client.send(head('POST', '/containers/create', ['Content-Type: application/json', ...framing(size)]));
    if (framing(0)[0] === 'Content-Length: 0') client.send('x'.repeat(size));
    else for (let sent = 0; sent < size; sent += 1 << 20) client.send(`100000\r\n${'x'.repeat(1 << 20)}\r\n`);
    expect(await client.receives(/larger than/)).toMatch(/^HTTP\/1\.1 413 /);
    await alive();
  });

  it('ends with a client that leaves in the middle', async () => {
    for (const path of ['/containers/create', '/containers/box/exec', '/containers/box/update', '/auth']) {
      using client = new RawConnection(swarm.url);
      client.send(
        head('POST', path, ['Content-Type: application/json', 'Content-Length: 1000']),
        '{"Image":',
      );
      client.socket.end();
      await client.over();
    }
    for (const host of hosts)
      expect((await host.docker('ps', '-aq')).split('\n').length).toBeLessThanOrEqual(2);
    await alive();
  });
});

describe('expressions', () => {
  it.each([
    ['constraint:node=core-01', 'One of operator ==, != is expected'],
    ['constraint:Node!==x', "Key 'Node!' is invalid"],
    ['constraint:==x', 'is invalid'],
    ['constraint:node==/(/', "Value '/(/' is invalid"],
    ['constraint:node==a;b', 'is invalid'],
    ['affinity:container==', 'is invalid'],
    ['whitelist:x==x', "Key 'x' is invalid"],
    ['reschedule:sometimes', 'invalid reschedule policy: sometimes'],
  ])('refuses %s', async (expression, words) => {
    const answer = await call(swarm.url, 'POST', '/containers/create', {
      body: { Image: 'busybox', Env: [expression] },
    });
    expect(answer.status).toBe(400);
    expect(answer.message).toContain(words);
  });

  it.each([
    ['constraint:node==core-09', ['node==core-09', 'core-01', 'core-02']],
    ['affinity:container==nobody', ['container==nobody']],
    ['affinity:image==nothing', ['image==nothing']],
  ])('explains why nothing fits %s', async (expression, words) => {
    const answer = await call(swarm.url, 'POST', '/containers/create', {
      body: { Image: 'busybox', Env: [expression] },
    });
    expect(answer.status).toBe(500);
    expect(answer.message).toContain('Unable to find a node that satisfies the following conditions');
    for (const word of words) expect(answer.message).toContain(word);
  });
});

describe('paths and queries', () => {
  it.each([
    ['GET', '/nope'],
    ['GET', '/'],
    ['GET', '/v1.41'],
    ['GET', '/v1.41/'],
    ['GET', '/containers'],
    ['PUT', '/info'],
    ['DELETE', '/containers/json/x/y'],
    ['PATCH', '/containers/box'],
    ['POST', '/containers/box/nonsense'],
  ])('knows no %s %s', async (method, path) => {
    const answer = await call(swarm.url, method, path);
    expect([answer.status, answer.message]).toEqual([
      404,
      expect.stringMatching(/page not found|No such/) as string,
    ]);
  });

  it.each([
    ['GET', '/swarm'],
    ['POST', '/swarm/init'],
    ['GET', '/services'],
    ['POST', '/services/create'],
    ['GET', '/nodes'],
    ['GET', '/tasks'],
    ['GET', '/secrets'],
    ['GET', '/configs'],
    ['GET', '/plugins'],
  ])('does not do %s %s in a cluster', async (method, path) => {
    const answer = await call(swarm.url, method, path);
    expect([answer.status, answer.message]).toEqual([501, 'Not supported in clustering mode.']);
  });

  it.each([
    '..%2f..%2finfo%3f',
    '%2e%2e',
    '%2e%2e%2f%2e%2e%2finfo',
    'a%00b',
    'a%0d%0aX:%20y',
    'core-01%2f..',
    'core-01%2f',
    '%2fcore-01%2f%2fbox',
    '%F0%9F%90%9D',
    'x'.repeat(8000),
  ])('finds no container in %s', async (name) => {
    for (const [method, action] of [
      ['GET', '/json'],
      ['GET', '/logs?stdout=1'],
      ['POST', '/start'],
      ['DELETE', ''],
    ] as const) {
      const answer = await call(swarm.url, method, `/containers/${name}${action}`);
      expect([answer.status, answer.message]).toEqual([
        404,
        `No such container: ${decodeURIComponent(name)}`,
      ]);
    }
    expect((await call(swarm.url, 'GET', `/exec/${name}/json`)).status).toBe(404);
    await alive();
  });

  it('sends a path with steps in it to the plain one, as an engine does', async () => {
    for (const path of ['/containers//json', '/containers/../json', '/./info']) {
      const direct = await call(`http://${hosts.at(0).address}`, 'GET', path);
      const ours = await call(swarm.url, 'GET', path);
      expect([path, ours.status, ours.headers['location']]).toEqual([
        path,
        direct.status,
        direct.headers['location'],
      ]);
    }
  });

  it('refuses what is not properly encoded', async () => {
    for (const path of ['/containers/%zz/json', '/containers/%/json', '/containers/%ff/json'])
      expect((await call(swarm.url, 'GET', path)).status).toBe(400);
  });

  it.each([
    ['limit=x', 400],
    ['limit=99999999999999999999', 400],
    ['filters=garbage', 400],
    ['filters=[]', 400],
    ['filters={"label":1}', 400],
    ['filters={"label":[1]}', 400],
    ['filters={"label":{"a":1}}', 400],
    ['filters={"nonsense":["x"]}', 400],
    ['filters={"status":["nonsense"]}', 400],
    ['filters={"health":["nonsense"]}', 400],
    ['filters={"exited":["nonsense"]}', 400],
    ['filters={"is-task":["nonsense"]}', 400],
    ['filters={"since":["nobody"]}', 404],
    ['filters={"before":["nobody"]}', 404],
    ['filters={"name":["("]}', 200],
    ['filters={"name":["((((((((a+)+)+)+)+)+)+)+)+$"]}', 200],
    ['filters=null', 200],
    ['filters={"__proto__":["x"]}', 400],
    ['all=nonsense&size=nonsense', 200],
  ])('answers ps with %s', async (query, status) => {
    const text = query.replace(/=([^&]*)/g, (_, value: string) => `=${encodeURIComponent(value)}`);
    expect((await call(swarm.url, 'GET', `/containers/json?${text}`)).status).toBe(status);
  });

  it.each(['since=x', 'until=x', 'since=5&until=4', 'filters=x', 'filters={"type":1}', 'since=-'])(
    'refuses events with %s',
    async (query) => {
      const answer = await call(
        swarm.url,
        'GET',
        `/events?${query.replaceAll('"', '%22').replaceAll('{', '%7B')}`,
      );
      expect(answer.status).toBe(400);
    },
  );
});

describe('what is no request', () => {
  it.each([
    ['bytes', '\x01\x02\x03\x04\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(300, 'x') + '\r\n\r\n'],
    ['another version', 'GET /_ping HTTP/9.9\r\n\r\n'],
    ['a header without a colon', 'GET /_ping HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n'],
    [
      'two lengths',
      'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
    ['a length below nothing', 'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
    ['a hijack with a header without a colon', 'POST /exec/x/start HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n'],
  ])('refuses %s', async (_, bytes) => {
    using client = new RawConnection(swarm.url);
    client.send(bytes);
    expect(await client.over()).toMatch(/^HTTP\/1\.[01] 400 /);
    await alive();
  });

  it('refuses heads without an end', async () => {
    using client = new RawConnection(swarm.url);
    client.send(`GET /_ping HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(300_000)}\r\n\r\n`);
    expect(await client.over()).toMatch(/^HTTP\/1\.1 431 /);
    using hijack = new RawConnection(swarm.url);
    hijack.send(`POST /exec/x/start HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(300_000)}\r\n\r\n`);
    await hijack.over();
    using line = new RawConnection(swarm.url);
    line.send(`POST /${'y'.repeat(300_000)}`);
    await line.over();
    await alive();
  });

  it('is not held up by those that never finish theirs', async () => {
    const halves = Array.from({ length: 300 }, (_, at) => {
      const text = [
        '',
        'G',
        'POST /exec/x/sta',
        'GET /info HTTP/1.1\r\nHost:',
        'POST /exec/x/start HTTP/1.1\r\nX:',
      ];
      return new RawConnection(swarm.url).send(text[at % text.length] ?? '');
    });
    await until('all of them', 10_000, () =>
      halves.every((one) => !one.socket.connecting) ? true : undefined,
    );
    await alive();
    expect((await call(swarm.url, 'GET', '/containers/box/json')).status).toBe(200);
    for (const half of halves) half[Symbol.dispose]();
    await alive();
  });
});
