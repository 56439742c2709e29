import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SYSTEM_COMMANDS } from '../../src/balancer/kernel/commands.ts';
import { Kernel } from '../../src/balancer/kernel/kernel.ts';
import type { Flow } from '../../src/balancer/rules/types.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { Line } from './line.ts';
import { runAt, tryFetch, type Place } from './places.ts';

/** What the kernel knows of connections, in a network namespace where 10.9.0.1 leads to the tests' server at 127.0.0.2. */
const RESPONDER = fileURLToPath(new URL('responder.pl', import.meta.url));
const RULES = `
table ip test {
  chain new {
    type nat hook output priority -100;
    tcp flags & (fin | syn | rst | ack) != syn accept
    ip daddr 10.9.0.1 dnat to 127.0.0.2
  }
}`;
const GONE: Flow = {
  place: { kind: 'mesh' },
  protocol: 'tcp',
  backend: '127.0.0.2',
  destination: '',
  port: 0,
};
const kernel = new Kernel(SYSTEM_COMMANDS, 'ip skep', true);

let server: ChildProcess;
let place: Place;
let netns: string;

beforeEach(async () => {
  const addresses = 'ip link set lo up; ip addr add 10.9.0.1/32 dev lo';
  const script = `set -e; ${addresses}; echo '${RULES}' | nft -f -; exec perl ${RESPONDER} tcp:80`;
  server = spawn('unshare', ['--net', '--', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (server.stdout) await once(server.stdout, 'data'); // it listens
  netns = `/proc/${server.pid}/ns/net`;
  place = ['nsenter', `--net=${netns}`];
});
afterEach(async () => {
  server.kill('SIGKILL');
  await once(server, 'close');
});

/** The states of the connections to the server. */
async function states(): Promise<string[]> {
  const listing = await runAt(place, 'conntrack', '-L', '-p', 'tcp', '--reply-src', '127.0.0.2');
  return [...listing.matchAll(/^tcp +6 \d+ (\w+)/gm)].map(([, state = '']) => state).sort();
}

test('who is gone is forgotten by open connections alone: the port of one that has ended may be in use again', async () => {
  await using line = new Line(place, '10.9.0.1', 80);
  expect(await line.say('one')).not.toBe('');
  expect((await tryFetch(place, 'http://10.9.0.1/')).code).toBe(0);
  await eventually('one has ended', async () => (await states()).includes('TIME_WAIT') || undefined);
  expect(await states()).toEqual(['ESTABLISHED', 'TIME_WAIT']);

  await kernel.forget(netns, [{ ...GONE, backend: '127.0.0.3' }]);
  await kernel.forget(netns, [{ ...GONE, destination: '10.9.0.2' }]);
  expect(await line.say('two')).not.toMatch(/^(ECONNRESET|silent|closed)$/);

  await kernel.forget(netns, [{ ...GONE, destination: '10.9.0.1' }]);
  expect(await states()).toEqual(['TIME_WAIT']);
  expect(await line.say('three')).toBe('ECONNRESET');
});

test('a connection that nobody has answered is forgotten too: its next packet goes to another', async () => {
  const deaf =
    'table ip deaf { chain in { type filter hook input priority 0; ip daddr 127.0.0.2 tcp flags syn drop; }; }';
  await runAt(place, 'nft', deaf);
  await using line = new Line(place, '10.9.0.1', 80);
  await eventually('it waits', async () => (await states()).includes('SYN_SENT') || undefined);
  await kernel.forget(netns, [GONE]);
  expect(await states()).toEqual([]);
  await runAt(
    place,
    'nft',
    'flush chain ip test new; add rule ip test new ip daddr 10.9.0.1 dnat to 127.0.0.3',
  );
  expect(await line.say('one')).not.toMatch(/^(E|silent|closed)/);
});
