import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import type { BalancedNetwork, EndpointsUpdate, ServiceEndpoints } from '../../model/index.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Problems } from '../problems.ts';
import { backend, network as plain, service } from '../rules/testing.ts';
import { KnownState, type Changes } from '../state.ts';
import { FakeHost, FakeNamespace } from '../testing/fake-host.ts';
import { QUICK_TIMES } from '../testing/fake-source.ts';
import { clearPeers } from './clear-peers.ts';
import { OverlayPeers } from './overlay-peers.ts';

const network = { ...plain, id: 'ej5c0fnzqjoimvc2dqex9jpc1' };
const PATH = '/run/docker/netns/1-ej5c0fnzqj';
const SEEN_AT = '192.168.0.3';

let host: FakeHost;
let overlay: FakeNamespace;
let state: KnownState;
let peers: OverlayPeers;
let problems: Problems;
let kernel: Kernel;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  host = new FakeHost();
  overlay = new FakeNamespace(7);
  host.files.set(PATH, overlay);
  host.files.set('/run/docker/netns/1-other00000', new FakeNamespace(8));
  state = new KnownState();
  problems = new Problems(createLog('error', { write: () => undefined }));
  kernel = new Kernel(host.commands, 'ip skep', true);
  const list = host.listNamespaces;
  peers = new OverlayPeers({ nodeId: 'here', state, kernel, list, problems, clock: QUICK_TIMES });
  stop = new AbortController();
  running = peers.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
});

function tell(backends: ServiceEndpoints['backends'], more: Partial<BalancedNetwork> = {}): void {
  const changes: Changes = { services: new Set(), networks: false };
  const services = [{ ...service('10.0.1.5', backends), networkId: network.id }];
  const nothing = { goneNetworks: [], goneServices: [], questions: [], full: true };
  const update: EndpointsUpdate = { ...nothing, version: 1, networks: [{ ...network, ...more }], services };
  state.fold(update, changes);
  peers.note(changes);
}

test('a change soon after another is looked at by itself, without the turn that looks at everything', async () => {
  const TURN_MS = 1_000;
  const ended = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  const clock: Clock = {
    nowMs: () => QUICK_TIMES.nowMs(),
    pause: (ms, signal) => (ms === TURN_MS ? ended(signal) : QUICK_TIMES.pause(ms, signal)),
  };
  stop.abort();
  await running;
  stop = new AbortController();
  const list = host.listNamespaces;
  peers = new OverlayPeers({ nodeId: 'here', state, kernel, list, problems, clock });
  running = peers.run(stop.signal);
  tell([backend('10.0.1.11')]);
  await looked(1);
  tell([backend('10.0.1.11'), backend('10.0.1.13')]);
  await vi.waitFor(() => expect(overlay.overlayLines.join()).toContain('10.0.1.13'), 10_000);
});

const looks = (): number => host.runs.filter(({ program }) => program === 'sh').length;
async function looked(more: number): Promise<void> {
  const wanted = looks() + more;
  await vi.waitFor(() => expect(looks()).toBeGreaterThanOrEqual(wanted), 10_000);
}

test('a task of another host that the engine has not heard of is made known, and told as such', async () => {
  tell([backend('10.0.1.11'), backend('10.0.1.12', { nodeId: 'here' })]);
  await vi.waitFor(() => expect(overlay.overlayLines.length).toBeGreaterThanOrEqual(2), 10_000);
  expect(new Set(overlay.overlayLines)).toEqual(
    new Set([
      `fdb replace 02:42:0a:00:01:0b dev vxlan0 dst ${SEEN_AT} self static`,
      'neigh replace 10.0.1.11 lladdr 02:42:0a:00:01:0b dev vxlan0 nud permanent extern_learn',
    ]),
  );
  overlay.overlay = { '10.0.1.11': ['balancer', 'balancer', SEEN_AT] };
  await vi.waitFor(() => expect(peers.isUnheard(network.id, '10.0.1.11')).toBe(true), 10_000);
  overlay.overlay = { '10.0.1.11': ['engine', 'engine', SEEN_AT] };
  await vi.waitFor(() => expect(peers.isUnheard(network.id, '10.0.1.11')).toBe(false), 10_000);
  expect(problems.list).toEqual([]);
});

test('what the engine knew is put back when it is lost, to where the engine sent it', async () => {
  overlay.overlay = { '10.0.1.11': ['engine', 'engine', '172.16.0.3'] };
  tell([backend('10.0.1.11'), backend('10.0.1.13')]);
  await vi.waitFor(
    () => expect(overlay.overlayLines.join()).toContain('0d dev vxlan0 dst 172.16.0.3'),
    10_000,
  );
  expect(overlay.overlayLines.join()).not.toContain('10.0.1.11');
  overlay.overlay = {};
  await vi.waitFor(
    () => expect(overlay.overlayLines.join()).toContain('0b dev vxlan0 dst 172.16.0.3'),
    10_000,
  );
});

test('what is gone is taken away, and what is in order is looked at and left', async () => {
  overlay.overlay = { '10.0.1.11': ['balancer', 'balancer', SEEN_AT] };
  tell([backend('10.0.1.11')]);
  await looked(3);
  expect(overlay.overlayLines).toEqual([]);
  tell([]);
  await vi.waitFor(() => expect(overlay.overlayLines).toContain('neigh del 10.0.1.11 dev vxlan0'), 10_000);
  expect(overlay.overlayLines[0]).toBe(`fdb del 02:42:0a:00:01:0b dev vxlan0 dst ${SEEN_AT} self`);
});

test('an encrypted network is left to the engines', async () => {
  tell([backend('10.0.1.11')], { encrypted: true });
  const other = { ...network, id: 'other00000bsd8z9', name: 'other' };
  const nothing = { goneNetworks: [], goneServices: [], questions: [], full: false };
  state.fold(
    { ...nothing, version: 2, networks: [other], services: [] },
    { services: new Set(), networks: true },
  );
  await looked(3);
  expect(host.runs.filter(({ netns }) => netns === PATH)).toEqual([]);
});

test('a program that fails is told, and does not end it', async () => {
  host.before = ({ program }) => {
    host.missing[program === 'sh' ? 'add' : 'delete']('sh');
    return Promise.resolve();
  };
  tell([backend('10.0.1.11')]);
  await vi.waitFor(() => expect(problems.list).toEqual([expect.stringContaining('my-net')]), 10_000);
  host.before = () => Promise.resolve();
  host.missing.clear();
  await vi.waitFor(() => expect(overlay.overlayLines.length).toBeGreaterThan(0), 10_000);
  expect(problems.list).toEqual([]);
});

test('all of it can be taken away', async () => {
  overlay.overlay = {
    '10.0.1.11': ['balancer', 'balancer', SEEN_AT],
    '10.0.1.12': ['engine', 'engine', SEEN_AT],
  };
  await clearPeers(kernel, PATH);
  expect(overlay.overlayLines).toEqual([
    `fdb del 02:42:0a:00:01:0b dev vxlan0 dst ${SEEN_AT} self`,
    'neigh del 10.0.1.11 dev vxlan0',
  ]);
  host.missing.add('bridge');
  await clearPeers(kernel, PATH);
});
