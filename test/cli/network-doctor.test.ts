import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { runHere } from './in-process.ts';
import { run } from './swarm-process.ts';

let folder = '';
let socket = '';
let server: Server;
/** What was asked for, and what is answered. */
let asked: string[] = [];
let answer: { status: number; value: unknown } = { status: 200, value: {} };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
  socket = join(folder, 'swarmd.sock');
  server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    res.writeHead(answer.status, { 'content-type': 'application/json' });
    res.end(typeof answer.value === 'string' ? answer.value : JSON.stringify(answer.value));
  }).listen(socket);
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
});

const doctor = (...args: string[]) => runHere(['network', 'doctor', '-H', `unix://${socket}`, ...args]);

const finding = (Verdict: string, Subject: string, Text: string) => ({ Verdict, Subject, Text });
const node = (Hostname: string, Balancer: string, Findings: object[], parts: object = {}) => ({
  ...{ ID: `id-${Hostname}`, Hostname, State: 'ready', Availability: 'active', Balancer, Findings },
  ...parts,
});
const address = (Network: string, Addr: string) => ({ NetworkID: `id-${Network}`, Network, Addr });
const task = (Name: string, Node: string, State: string, Addresses: object[]) => ({
  ...{ ID: `id-${Name}`, NodeID: `id-${Node}`, DesiredState: 'running' },
  ...{ Name, Node, State, Addresses },
});
const port = (Protocol: string, PublishedPort: number, TargetPort: number, PublishMode: string) => ({
  ...{ Protocol, PublishedPort, TargetPort, PublishMode },
});

const WELL = finding('ok', 'rules of back', 'in force');
const SERVICE = {
  ID: 'k2jqz7m1',
  Name: 'web',
  EndpointMode: 'vip',
  VirtualIPs: [address('ingress', '10.0.0.5'), address('back', '10.0.1.5')],
  Ports: [port('tcp', 8080, 80, 'ingress'), port('udp', 5353, 53, 'host')],
  Tasks: [
    task('web.1', 'host1', 'running', [address('ingress', '10.0.0.11'), address('back', '10.0.1.11')]),
    task('web.2', '', 'pending', []),
  ],
};

test('a service with faults', async () => {
  answer.value = {
    Service: SERVICE,
    Findings: [finding('warning', 'tasks', '1 of 2 serves')],
    Nodes: [
      node('host1', 'nftables', [WELL, finding('fault', 'port 8080/tcp', 'nginx (process 8) listens there')]),
      node('host2', 'none', [finding('fault', 'balancer', 'No swarmd runs there')], {
        Availability: 'drain',
      }),
      node('host3', 'unknown', [finding('fault', 'node', 'It is down')], { State: 'down' }),
    ],
  };
  const { code, stdout, stderr } = await doctor('web', '--node', 'host1');
  await expect(stdout).toMatchFileSnapshot('network-doctor-service.golden');
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(asked).toEqual(['GET /swarm/network-doctor?service=web&node=host1']);
});

test('nodes alone, all well', async () => {
  answer.value = {
    Service: null,
    Findings: [],
    Nodes: [node('host1', 'nftables', [WELL, { ...WELL, Subject: 'peers' }]), node('host10', 'engine', [])],
  };
  // As a process, and by the variable that docker reads.
  const found = await run(['network', 'doctor'], { DOCKER_HOST: `unix://${socket}` });
  await expect(found.stdout).toMatchFileSnapshot('network-doctor-nodes.golden');
  expect(found).toMatchObject({ code: 0, stderr: '' });
  expect(asked).toEqual(['GET /swarm/network-doctor?']);
});

test('dnsrr, and warnings about the networks', async () => {
  answer.value = {
    Service: { ...SERVICE, EndpointMode: 'dnsrr', VirtualIPs: [], Ports: [], Tasks: [] },
    Findings: [finding('ok', 'virtual IPs', 'It has none')],
    Nodes: [],
  };
  expect((await doctor('web')).stdout).toBe(
    [
      'SERVICE web (k2jqz7m1)',
      "  name   web   its tasks' addresses (dnsrr)",
      '',
      'FINDINGS',
      '  ok   virtual IPs   It has none',
      '',
      'no node looked at: no faults, no warnings.',
      '',
    ].join('\n'),
  );
});

test('--format json', async () => {
  answer.value = { Service: null, Findings: [finding('fault', 'a', 'b')], Nodes: [] };
  const { stdout, code } = await doctor('--format', 'json');
  expect(JSON.parse(stdout)).toEqual(answer.value);
  expect(code).toBe(1);
});

test('what nodes say steers no terminal, and adds no lines', async () => {
  answer.value = {
    Findings: [],
    Nodes: [node('a\u001b[2Jb', '\u202enftables', [finding('ok', 'x\nFAULT', 'y\r\n\u0007z')])],
  };
  expect((await doctor()).stdout).toBe(
    'NODE a [2Jb:  nftables\n  ok   x FAULT   y z\n\n1 node looked at: no faults, no warnings.\n',
  );
});

test('an answer that makes no sense is no end of this command', async () => {
  for (const value of [null, [], 3, 'no JSON', { Nodes: [null, 4], Findings: {}, Service: [] }]) {
    answer = { status: 200, value };
    expect([0, 1]).toContain((await doctor()).code);
  }
});

test.each([
  [404, { message: 'service web not found' }, 'service web not found'],
  [400, { message: 'node host is ambiguous (2 matches found)' }, 'node host is ambiguous'],
  [503, { message: 'This node is not a swarm manager.' }, 'This node is not a swarm manager.'],
  [404, { message: 'page not found' }, 'is no swarmd: --host or DOCKER_HOST says where that listens'],
  [404, 'nothing', 'is no swarmd'],
  [500, {}, 'answered with status 500'],
])('an answer with status %i is told: %j', async (status, value, words) => {
  answer = { status, value };
  const { code, stdout, stderr } = await doctor('web');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^time=".*" level=fatal /);
  expect(stderr).toContain(words);
});

test.each([
  [['-H', 'unix:///nowhere/s.sock'], 1, 'swarmd does not answer at unix:///nowhere/s.sock: '],
  [['-H', 'tcp://127.0.0.1:1'], 1, 'swarmd does not answer at tcp://127.0.0.1:1: connection refused; --host'],
  [['-H', 'ssh://host'], 2, 'invalid --host \\"ssh://host\\": expected unix:///path or tcp://host:port'],
  [['-H', 'tcp://host:99999'], 2, 'the port must be between 1 and 65535'],
  [['-H', 'unix://run/s.sock'], 2, 'a unix socket needs an absolute path'],
  [['--tls'], 2, '--tlscert and --tlskey must be provided when using --tls'],
  [['a', 'b'], 2, "one service at a time. See 'swarm network doctor --help'."],
  [['--format', 'yaml'], 2, 'invalid --format \\"yaml\\": json is the only one'],
])('%j', async (args, code, words) => {
  const found = await runHere(['network', 'doctor', ...args]);
  expect(found.stderr).toContain(words);
  expect(found).toMatchObject({ code, stdout: '' });
});

test("docker's variables for TLS count for tcp", async () => {
  const env = { DOCKER_HOST: 'tcp://127.0.0.1:1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
  const { code, stderr } = await runHere(['network', 'doctor'], env);
  expect(code).toBe(1);
  expect(stderr).toContain(join(folder, 'cert.pem'));
});

test.each([
  [['network', 'frobnicate'], "No help topic for 'network frobnicate'. See 'swarm network --help'."],
  [['help', 'network', 'frobnicate'], "No help topic for 'network frobnicate'"],
  [['network', '-H', 'x', 'doctor'], 'flag provided but not defined: -H'],
  [['network', 'doctor', '--frobnicate'], 'flag provided but not defined: -frobnicate'],
])('swarm %j', async (args, words) => {
  const { code, stdout } = await runHere(args);
  expect(code).toBe(2);
  expect(stdout).toContain(words);
});
