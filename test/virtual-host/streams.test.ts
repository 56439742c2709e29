import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, head, RawConnection } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
  swarm = await startSwarm(hosts);
  const on = (node: string): string[] => ['-e', `constraint:node==${node}`];
  await swarm.docker('run', '-d', '--name', 'box', ...on('core-01'), 'busybox', 'sleep', '1000');
  await swarm.docker('run', '-di', '--name', 'echo', ...on('core-01'), 'busybox', 'cat');
  await swarm.docker('run', '-d', '--name', 'idle', ...on('core-02'), 'nginx');
  // It ends when told to: an engine that starts again after its death first stops what it left running.
  const ticks = ['sh', '-c', 'trap exit TERM; while :; do echo tick; sleep 0.1; done'];
  await swarm.docker('run', '-d', '--name', 'ticks', ...on('core-02'), 'busybox', ...ticks);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

async function newExec(command: readonly string[], stdin = true): Promise<string> {
  const body = { Cmd: command, AttachStdin: stdin, AttachStdout: true, AttachStderr: true };
  const made = await call(swarm.url, 'POST', '/containers/box/exec', { body });
  expect(made.status).toBe(201);
  return made.json<{ Id: string }>().Id;
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: tcp'];
const START = JSON.stringify({ Detach: false, Tty: false });

describe('a connection that leaves HTTP', () => {
  it.each([
    ['with an Upgrade', UPGRADE, /^HTTP\/1\.1 101 /],
    ['without one', [], /^HTTP\/1\.1 200 /],
  ])('carries an exec %s', async (_, headers, status) => {
    const id = await newExec(['sh', '-c', 'cat; echo done']);
    using client = new RawConnection(swarm.url);
    client.send(head('POST', `/v1.41/exec/${id}/start`, headers, START));
    await client.receives(status);
    client.send('hello\n');
    await client.receives(/hello\n/);
    client.socket.end();
    expect(await client.over()).toMatch(/done\n$/);
    await until('the exit code', 5_000, async () => {
      const seen = await call(swarm.url, 'GET', `/exec/${id}/json`);
      return seen.json<{ Running: boolean; ExitCode: number }>().Running ? undefined : true;
    });
  });

  it('carries what is sent along with the request, in pieces of any size', async () => {
    for (const headers of [UPGRADE, []]) {
      const id = await newExec(['cat']);
      using client = new RawConnection(swarm.url);
      client.socket.setNoDelay(true);
      for (const byte of head('POST', `/exec/${id}/start`, headers, START) + 'early\n') {
        client.send(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await client.receives(/early\n/);
      client.socket.end();
      await client.over();
    }
  });

  it('takes a body in chunks', async () => {
    const id = await newExec(['cat']);
    using client = new RawConnection(swarm.url);
    const chunked = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];
    client.send(head('POST', `/exec/${id}/start`, chunked));
    client.send(
      `5\r\n${START.slice(0, 5)}\r\n`,
      `${(START.length - 5).toString(16)}\r\n${START.slice(5)}\r\n0\r\n\r\n`,
    );
    client.send('behind\n');
    await client.receives(/behind\n/);
  });

  it('attaches to a container, and to two at once', async () => {
    const path = '/containers/echo/attach?stream=1&stdin=1&stdout=1';
    using one = new RawConnection(swarm.url).send(head('POST', path));
    using two = new RawConnection(swarm.url).send(head('POST', path, UPGRADE));
    await Promise.all([one.receives(/^HTTP\/1\.1 200 /), two.receives(/^HTTP\/1\.1 101 /)]);
    one.send('from one\n');
    await Promise.all([one.receives(/from one/), two.receives(/from one/)]);
    two.send('from two\n');
    await Promise.all([one.receives(/from two/), two.receives(/from two/)]);
  });

  it('attaches over a websocket', async () => {
    using client = new RawConnection(swarm.url);
    const key = randomBytes(16).toString('base64');
    client.send(
      head('GET', '/containers/echo/attach/ws?stream=1&stdin=1&stdout=1', [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Origin: http://localhost',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${key}`,
      ]),
    );
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    expect(await client.receives(/\r\n\r\n/)).toContain(accept);
    const text = Buffer.from('over the web\n');
    client.send(
      Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]).toString('latin1'),
    );
    await client.receives(/over the web/);
  });

  it('keeps a million lines whole, both ways at once', async () => {
    const id = await newExec(['cat']);
    using client = new RawConnection(swarm.url);
    client.send(head('POST', `/exec/${id}/start`, UPGRADE, START));
    await client.receives(/\r\n\r\n/);
    const hash = createHash('sha256');
    const back = createHash('sha256');
    let pending = Buffer.alloc(0);
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk: Buffer) => {
      // Each piece of output has a head of eight bytes: stream, and length.
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 8 && pending.length >= 8 + pending.readUInt32BE(4)) {
        const end = 8 + pending.readUInt32BE(4);
        back.update(pending.subarray(8, end));
        pending = pending.subarray(end);
      }
    });
    for (let at = 0; at < 100; at += 1) {
      const block = Buffer.from(Array.from({ length: 10_000 }, (_, line) => `${at} ${line}\n`).join(''));
      hash.update(block);
      if (!client.socket.write(block)) await new Promise((resolve) => client.socket.once('drain', resolve));
    }
    client.socket.end();
    await until('the end', 30_000, () => (client.ended || client.closed ? true : undefined));
    expect(back.digest('hex')).toBe(hash.digest('hex'));
  });
});

describe('an engine that declines to leave HTTP', () => {
  const smuggled = head('POST', '/containers/create?name=smuggled', [], JSON.stringify({ Image: 'busybox' }));

  it.each([
    ['with an Upgrade', UPGRADE],
    ['without one', []],
  ])('hands over its answer, and nothing sent behind reaches it: %s', async (_, headers) => {
    const ended = await newExec(['true'], false);
    await call(swarm.url, 'POST', `/exec/${ended}/start`, { body: { Detach: true } });
    await until('its end', 10_000, async () =>
      (await call(swarm.url, 'GET', `/exec/${ended}/json`)).json<{ Running: boolean }>().Running
        ? undefined
        : true,
    );
    const detached = await newExec(['true'], false);
    const cases: [string, string, RegExp][] = [
      // This one it takes, to say in the stream what is wrong.
      [`/exec/${ended}/start`, START, /has already run/],
      [`/exec/${detached}/start`, '{"Detach":true}', /^HTTP\/1\.1 200 /],
      ['/exec/nonsense/start', START, /^HTTP\/1\.1 404 /],
      ['/containers/nobody/attach?stream=1', '', /^HTTP\/1\.1 404 /],
      ['/containers/box/attach?stream=1&detachKeys=nonsense', '', /^HTTP\/1\.1 (400|500) /],
    ];
    for (const [path, body, status] of cases) {
      using client = new RawConnection(swarm.url);
      client.send(head('POST', path, headers, body) + smuggled);
      const answer = await client.over();
      expect(answer).toMatch(status);
      expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    }
    // A second reader of the same bytes must not see another end of the body.
    for (const trick of [
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['X: a\nTransfer-Encoding: chunked', `Content-Length: ${smuggled.length + 5}`],
      ['Transfer-Encoding : chunked', `Content-Length: ${smuggled.length + 5}`],
      ['Content-Length: 0', `Content-Length: ${smuggled.length + 5}`],
      ['Transfer-Encoding: identity, chunked', `Content-Length: ${smuggled.length + 5}`],
    ]) {
      using client = new RawConnection(swarm.url);
      const lines = ['Content-Type: application/json', ...headers, ...trick];
      client.send(head('POST', `/exec/${ended}/start`, lines) + '0\r\n\r\n' + smuggled);
      client.socket.end();
      await client.over();
    }
    for (const host of hosts) expect(await host.docker('ps', '-aq', '--filter', 'name=smuggled')).toBe('');
    expect((await call(swarm.url, 'GET', '/_ping')).text).toBe('OK');
  });
});

describe('events', () => {
  interface Told {
    Type: string;
    Action: string;
    id?: string;
    from?: string;
    timeNano: number;
    node: { Name: string };
    Actor: { ID: string; Attributes: Record<string, string> };
  }
  const told = (text: string): Told[] =>
    text
      .slice(text.indexOf('\r\n\r\n') + 4)
      .split(/\r?\n/)
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Told);
  const query = (filters: object, more = ''): string =>
    `/events?filters=${encodeURIComponent(JSON.stringify(filters))}${more}`;

  it('tells those of all nodes as they come, and where', async () => {
    using all = new RawConnection(swarm.url).send(head('GET', '/events'));
    using first = new RawConnection(swarm.url).send(head('GET', query({ node: ['core-01'] })));
    using dead = new RawConnection(swarm.url).send(head('GET', query({ event: ['die'], label: ['told'] })));
    await Promise.all([all, first, dead].map((one) => one.receives(/\r\n\r\n/)));
    for (const node of ['core-01', 'core-02'])
      await swarm.docker(
        'run',
        '--name',
        `t-${node}`,
        '-l',
        'told',
        '-e',
        `constraint:node==${node}`,
        'busybox',
      );
    await dead.receives(/t-core-02/);
    await all.receives(/"die"[^\n]*t-core-02/);
    await first.receives(/"die"[^\n]*t-core-01/);
    const die = told(dead.text);
    expect(die.map((event) => [event.Action, event.node.Name, event.from])).toEqual([
      ['die', 'core-01', 'busybox node:core-01'],
      ['die', 'core-02', 'busybox node:core-02'],
    ]);
    expect(die[0]?.Actor.Attributes).toMatchObject({
      name: 't-core-01',
      'node.name': 'core-01',
      'node.ip': hosts.at(0).ip,
      'node.addr': hosts.at(0).address,
      'node.id': hosts.at(0).engineId,
    });
    expect(told(first.text).every((event) => event.node.Name === 'core-01')).toBe(true);
    const actions = told(all.text).filter((event) => event.Actor.Attributes['name'] === 't-core-02');
    expect(actions.map((event) => event.Action)).toEqual(
      expect.arrayContaining(['create', 'start', 'die']) as string[],
    );
  });

  it('remembers, between two moments, in their order', async () => {
    const stamp = async (): Promise<string> => (Date.now() / 1000).toFixed(3);
    const since = await stamp();
    for (const node of ['core-02', 'core-01', 'core-02'])
      await swarm.docker(
        'rm',
        await swarm.docker('create', '-l', 'past', '-e', `constraint:node==${node}`, 'busybox'),
      );
    const until0 = String(Math.ceil(Date.now() / 1000) + 1);
    using live = new RawConnection(swarm.url);
    live.send(head('GET', query({ label: ['past'], event: ['create'] }, `&since=${since}&until=${until0}`)));
    const events = told(await live.receives(/\r\n0\r\n\r\n$/));
    expect(events.map((event) => event.node.Name)).toEqual(['core-02', 'core-01', 'core-02']);
    const times = events.map((event) => event.timeNano);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const exact = await call(
      `http://${hosts.at(0).address}`,
      'GET',
      query({ label: ['past'] }, `&since=${since}&until=${until0}`),
    );
    const theirs = /"timeNano":(\d+)/.exec(exact.text)?.[1] ?? 'none';
    expect(live.text).toContain(`"timeNano":${theirs}`);
    const none = await call(swarm.url, 'GET', query({ label: ['past'] }, '&since=1&until=2'));
    expect([none.status, none.text]).toEqual([200, '']);
  });

  it('go on for others when one reader stops reading', async () => {
    using lazy = new RawConnection(swarm.url).send(head('GET', '/events'));
    await lazy.receives(/\r\n\r\n/);
    lazy.socket.pause();
    using eager = new RawConnection(swarm.url).send(head('GET', query({ event: ['rename'] })));
    await eager.receives(/\r\n\r\n/);
    await swarm.docker('create', '--name', 'turn-0', 'busybox');
    for (let at = 1; at <= 50; at += 1)
      expect(
        (await call(swarm.url, 'POST', `/containers/turn-${at - 1}/rename?name=turn-${at}`)).status,
      ).toBe(204);
    await eager.receives(/"turn-50"/);
    await swarm.docker('rm', 'turn-50');
    lazy.socket.resume();
    await lazy.receives(/"destroy"[^\n]*"turn-50"/);
  });
});

describe('an engine that dies in the middle', () => {
  it('ends every stream, and the manager lives on', async () => {
    const host = hosts.at(1);
    const made = await call(swarm.url, 'POST', '/containers/ticks/exec', {
      body: { Cmd: ['cat'], AttachStdin: true, AttachStdout: true },
    });
    const { Id } = made.json<{ Id: string }>();
    const streams = [
      head('GET', '/containers/ticks/logs?follow=1&stdout=1'),
      head('GET', '/containers/ticks/stats'),
      head('POST', '/containers/ticks/attach?stream=1&stdout=1'),
      head('POST', '/containers/ticks/attach?stream=1&stdout=1', UPGRADE),
      head('POST', '/containers/ticks/wait'),
      head('POST', `/exec/${Id}/start`, UPGRADE, START),
    ].map((request) => new RawConnection(swarm.url).send(request));
    // Into another one: an engine locks a container while it unpacks.
    const upload = new RawConnection(swarm.url).send(
      head('PUT', '/containers/idle/archive?path=/tmp', [
        'Content-Length: 1000000',
        'Content-Type: application/x-tar',
      ]),
      'x'.repeat(10_000),
    );
    using events = new RawConnection(swarm.url).send(head('GET', '/events'));
    for (const stream of [...streams, events]) await stream.receives(/^HTTP\/1\.1 (101|200) /);
    await streams[0]?.receives(/tick/);
    const followed = swarm.tryDocker(['logs', '-f', 'ticks']);
    const export_ = swarm.tryDocker(['export', '-o', '/dev/null', 'ticks']);
    try {
      await host.kill();
      for (const stream of [...streams, upload]) await stream.over();
      await Promise.all([followed, export_]);
      // A half answer must not look whole: its last chunk never comes.
      expect(streams[0]?.text).not.toMatch(/\r\n0\r\n\r\n$/);
    } finally {
      for (const stream of [...streams, upload]) stream[Symbol.dispose]();
    }
    expect(events.ended).toBe(false);
    expect(await swarm.docker('exec', 'box', 'echo', 'alive')).toBe('alive');
    const refused = await swarm.tryDocker(['exec', 'ticks', 'true']);
    expect(refused.code).not.toBe(0);
    await host.start();
    await until('the node again', 30_000, async () =>
      (await swarm.tryDocker(['start', 'ticks'])).code === 0 ? true : undefined,
    );
    await until('events of the node again', 30_000, async () => {
      await swarm.tryDocker(['exec', 'ticks', 'true']);
      return /"exec_start[^\n]*"ticks"/.test(events.text) ? true : undefined;
    });
  });
});
