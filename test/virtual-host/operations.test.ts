import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { SWARM } from '../cli/swarm-process.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call, RawConnection, head } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({ count: 2 });
  swarm = await startSwarm(hosts, { args: ['--cors'] });
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

/** The samples of /metrics, by what stands before the value. */
async function metrics(): Promise<Map<string, number>> {
  const { text } = await call(swarm.url, 'GET', '/metrics');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

describe('/metrics', () => {
  it('is in the text format of Prometheus, each family with its type', async () => {
    const { status, headers, text } = await call(swarm.url, 'GET', '/metrics');
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const types = new Map(
      [...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map((m) => [m[1], m[2]]),
    );
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
      const name = /^[a-z_]+/.exec(line)?.[0] ?? '';
      const family = name.replace(/_(bucket|sum|count)$/, '');
      expect(types.get(name) ?? types.get(family), line).toBeDefined();
      expect(line).toMatch(/^[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [-+.\deE]+$/);
    }
  });

  it('counts engines, containers, placements and who leads', async () => {
    const before = await metrics();
    await swarm.docker('run', '-d', '--name', 'web', 'nginx');
    await swarm.docker('create', '--name', 'idle', 'busybox');
    await swarm.tryDocker(['create', '-e', 'constraint:node==nowhere', 'busybox']);
    const now = await metrics();
    expect(now.get('skep_engines{state="healthy"}')).toBe(2);
    expect(now.get('skep_engines{state="unhealthy"}')).toBe(0);
    expect(now.get('skep_containers{state="running"}')).toBe(1);
    expect(now.get('skep_containers{state="created"}')).toBe(1);
    expect(now.get('skep_leader')).toBe(1);
    expect(now.get('skep_discovery_trouble')).toBe(0);
    const grown = (name: string): number => (now.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('skep_placements_total{result="placed"}')).toBe(2);
    expect(grown('skep_placements_total{result="refused"}')).toBe(1);
    expect(grown('skep_placement_duration_seconds_count')).toBe(3);
    expect(now.get('skep_reschedules_total{result="moved"}')).toBe(0);
    expect(now.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });

  it('tells requests apart by their routes, however many paths there are', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => call(swarm.url, 'GET', `/v1.41/containers/none-${at}/json`)),
    );
    await Promise.all(Array.from({ length: 20 }, (_, at) => call(swarm.url, 'GET', `/no/such/${at}`)));
    await call(swarm.url, 'PATCH', '/containers/json');
    const now = await until('all of them counted', 10_000, async () => {
      const seen = await metrics();
      const missing = seen.get(
        'skep_api_requests_total{method="GET",route="/containers/{name}/json",code="4xx"}',
      );
      const unknown = seen.get('skep_api_requests_total{method="other",route="other",code="4xx"}');
      return (missing ?? 0) >= 20 && (unknown ?? 0) >= 21 ? seen : undefined;
    });
    expect([...now.keys()].filter((key) => key.includes('none-') || key.includes('/no/such'))).toEqual([]);
    const series =
      'skep_api_request_duration_seconds_bucket{method="GET",route="/containers/{name}/json",code="4xx"';
    expect(now.get(`${series},le="+Inf"}`)).toBeGreaterThanOrEqual(20);
  });

  it('knows streams from answers', async () => {
    const reader = new AbortController();
    const events = await fetch(`${swarm.url}/events`, { signal: reader.signal });
    expect(events.status).toBe(200);
    expect((await metrics()).get('skep_api_requests_in_progress{kind="stream"}')).toBe(1);
    reader.abort();
    await until('the stream to be gone', 10_000, async () =>
      (await metrics()).get('skep_api_requests_in_progress{kind="stream"}') === 0 ? true : undefined,
    );
    expect(await swarm.docker('exec', 'web', 'echo', 'hello')).toBe('hello');
    await until('the session to be counted', 10_000, async () =>
      (await metrics()).get('skep_api_requests_total{method="POST",route="/exec/{id}/start",code="1xx"}') ===
      1
        ? true
        : undefined,
    );
  });
});

describe('what is for people who look for a fault', () => {
  it('is at /debug/vars with --debug', async () => {
    const vars = (await call(swarm.url, 'GET', '/debug/vars')).json<{
      memory: { rss: number };
      nodes: { name: string; state: string }[];
    }>();
    expect(vars.memory.rss).toBeGreaterThan(1e6);
    expect(vars.nodes.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'core-01 Healthy',
      'core-02 Healthy',
    ]);
  });

  it('has a line for each request in the log, of the same fields', async () => {
    await call(swarm.url, 'GET', '/containers/json?all=1');
    await until('the line', 10_000, () =>
      /level=debug msg=Request method=GET path="\/containers\/json" status=200 ms=\d+ from=127\.0\.0\.1/.test(
        swarm.log(),
      )
        ? true
        : undefined,
    );
  });
});

describe('a page of another origin', () => {
  it('may call the API where --cors says so: the preflight and the call', async () => {
    const origin = { Origin: 'http://page.example' };
    const preflight = await call(swarm.url, 'OPTIONS', '/v1.41/containers/create', {
      headers: {
        ...origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type, x-registry-auth',
      },
    });
    expect([preflight.status, preflight.body.length]).toEqual([200, 0]);
    expect(preflight.headers['access-control-allow-origin']).toBe('*');
    expect(preflight.headers['access-control-allow-methods']).toContain('POST');
    const allowed = String(preflight.headers['access-control-allow-headers']).toLowerCase().split(', ');
    expect(allowed).toEqual(expect.arrayContaining(['content-type', 'x-registry-auth']));
    const answer = await call(swarm.url, 'GET', '/info', { headers: origin });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, '*']);
  });
});

/** A manager with these global options, as an own process; its port and exit. */
async function bare(
  ...global: string[]
): Promise<{ url: string; log: () => string; end: () => Promise<number | null> }> {
  const args = [...global, 'manage', '-H', 'tcp://127.0.0.1:0', `nodes://${hosts.addresses}`];
  const child = spawn(SWARM, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exited = once(child, 'exit');
  const port = await until('the manager to listen', 30_000, () => /127\.0\.0\.1:(\d+)/.exec(log)?.[1]);
  return {
    url: `http://127.0.0.1:${port}`,
    log: () => log,
    async end() {
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}

describe('without --debug', () => {
  it('there is no /debug, and no line for each request', async () => {
    const manager = await bare();
    expect((await call(manager.url, 'GET', '/debug/vars')).status).toBe(404);
    expect(await manager.end()).toBe(0);
    expect(manager.log()).not.toContain('msg=Request');
    expect(manager.log()).toContain('msg="Stopping; a second signal ends at once" signal=SIGTERM');
  });
});

describe('SIGTERM', () => {
  it('lets answers under way end, ends streams, takes no new connection, and exits 0', async () => {
    const manager = await bare();
    const host = hosts.at(0);
    await until('both engines', 30_000, async () =>
      (await call(manager.url, 'GET', '/info')).text.match(/Healthy/g)?.length === 2 ? true : undefined,
    );
    const events = await fetch(`${manager.url}/events`);
    using idle = new RawConnection(manager.url);
    idle.send(head('GET', '/_ping'));
    await idle.receives(/OK$/);

    host.pause();
    const created = call(manager.url, 'POST', '/containers/create?name=late', {
      body: { Image: 'busybox', Env: ['constraint:node==core-01'] },
    });
    await until('the create under way', 10_000, async () =>
      (await call(manager.url, 'GET', '/metrics')).text.includes('in_progress{kind="answer"} 2\n')
        ? true
        : undefined,
    );
    const ended = manager.end();
    // Ends with the last chunk, not in the middle: a cut stream would reject.
    expect(await events.text()).toEqual(expect.any(String));
    await idle.over();
    await until('no new connection', 10_000, () =>
      call(manager.url, 'GET', '/_ping').then(
        () => undefined,
        () => true,
      ),
    );
    host.resume();
    const answer = await created;
    expect([answer.status, answer.headers.connection]).toEqual([201, 'close']);
    expect(await ended).toBe(0);
    expect(await swarm.docker('inspect', '--format', '{{.Name}}', 'late')).toContain('late');
  });
});
