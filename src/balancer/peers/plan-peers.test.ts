import { describe, expect, test } from 'vitest';
import { macOf } from '../rules/hardware-address.ts';
import { numberOf } from '../rules/sound.ts';
import { planNoPeers, planPeers, type PeersPlan, type PeersWish } from './plan-peers.ts';
import { type EntryOwner, type OverlayView } from './overlay-view.ts';
import { overlayText } from './testing.ts';
import { readOverlay } from './overlay-view.ts';

const HOST = '192.168.0.3';
const OTHER = '192.168.0.4';

/** What an overlay knows, as `10.0.1.11: who has the neighbour, who the way, and where that leads`. */
function view(known: Record<string, [EntryOwner | '', EntryOwner | '', string]> = {}): OverlayView {
  return readOverlay(overlayText(known));
}

function plan(seen: OverlayView, wanted: Record<string, string>, more: Partial<PeersWish> = {}): PeersPlan {
  const wish = { kept: new Set<string>(), vteps: new Set([HOST, OTHER]), ...more };
  const peers = Object.keys(wanted).map(
    (address) =>
      [
        address,
        { mac: macOf(address), number: numberOf(address), nodeId: address, nodeAddress: '' },
      ] as const,
  );
  return planPeers(seen, { ...wish, wanted: new Map(peers), vtepOf: ({ nodeId }) => wanted[nodeId] ?? '' });
}

const NOTHING: PeersPlan = { add: { ip: [], bridge: [] }, remove: { ip: [], bridge: [] } };
const neighbour = (address: string, device = 'vxlan0'): string =>
  `neigh replace ${address} lladdr ${macOf(address)} dev ${device} nud permanent extern_learn`;
const way = (address: string, vtep: string, device = 'vxlan0'): string =>
  `fdb replace ${macOf(address)} dev ${device} dst ${vtep} self static`;
const words = (lines: readonly string[][]): string[] => lines.map((line) => line.join(' '));

describe('what an overlay knows', () => {
  test('is read with whose it is', () => {
    const seen = view({
      '10.0.1.11': ['engine', 'engine', HOST],
      '10.0.1.12': ['balancer', 'balancer', OTHER],
    });
    expect(seen.map(({ device, gateway }) => [device, gateway])).toEqual([
      ['vxlan0', '10.0.1.1'],
      ['vxlan1', '10.0.2.1'],
    ]);
    expect(seen[0]?.neighbours.get('10.0.1.11')).toBe('engine');
    expect(seen[0]?.neighbours.get('10.0.1.12')).toBe('balancer');
    expect(seen[0]?.ways.get(macOf('10.0.1.12'))).toMatchObject({
      vtep: OTHER,
      owner: 'balancer',
    });
  });

  test('is not read where a part is missing', () => {
    expect(() => readOverlay('[]\n--\n[]\n')).toThrow();
    expect(readOverlay('\n--\n\n--\n')).toEqual([]);
  });
});

test('what is missing is added, in the subnet that it belongs to', () => {
  const { add, remove } = plan(view(), { '10.0.1.11': HOST, '10.0.2.12': OTHER, '10.9.9.9': HOST });
  expect(words(add.bridge)).toEqual([way('10.0.1.11', HOST), way('10.0.2.12', OTHER, 'vxlan1')]);
  expect(words(add.ip)).toEqual([neighbour('10.0.1.11'), neighbour('10.0.2.12', 'vxlan1')]);
  expect(remove).toEqual(NOTHING.remove);
});

test.each<[string, EntryOwner | '', EntryOwner, string]>([
  ["the engine's", 'engine', 'engine', OTHER],
  ["the balancer's own", 'balancer', 'balancer', HOST],
])('what is there is left as it is: %s', (_, neighbourOwner, wayOwner, vtep) => {
  const seen = view({ '10.0.1.11': [neighbourOwner, wayOwner, vtep] });
  expect(plan(seen, { '10.0.1.11': HOST })).toEqual(NOTHING);
});

test('half of it is completed, also where the kernel alone knows the way', () => {
  expect(words(plan(view({ '10.0.1.11': ['engine', '', ''] }), { '10.0.1.11': HOST }).add.bridge)).toEqual([
    way('10.0.1.11', HOST),
  ]);
  const { add } = plan(view({ '10.0.1.11': ['', 'kernel', HOST] }), { '10.0.1.11': '' });
  expect(add).toEqual({ ip: [neighbour('10.0.1.11').split(' ')], bridge: [] });
});

test('without knowing where the node is, nothing is added', () => {
  expect(plan(view(), { '10.0.1.11': '' })).toEqual(NOTHING);
});

test('a node that has moved is followed', () => {
  const { add } = plan(view({ '10.0.1.11': ['balancer', 'balancer', HOST] }), { '10.0.1.11': OTHER });
  expect(words(add.bridge)).toEqual([way('10.0.1.11', OTHER)]);
});

test("who is gone is taken away, but nothing of the engine's, and nobody whose connections may be open", () => {
  const seen = view({
    '10.0.1.11': ['balancer', 'balancer', HOST],
    '10.0.1.12': ['engine', 'engine', HOST],
    '10.0.1.13': ['balancer', 'balancer', HOST],
  });
  const { add, remove } = plan(seen, {}, { kept: new Set(['10.0.1.13']) });
  expect(add).toEqual(NOTHING.add);
  expect(words(remove.bridge)).toEqual([`fdb del ${macOf('10.0.1.11')} dev vxlan0 dst ${HOST} self`]);
  expect(words(remove.ip)).toEqual(['neigh del 10.0.1.11 dev vxlan0']);
  expect(words(planNoPeers(seen).bridge)).toHaveLength(2);
});

test('a sender that only the kernel has seen is answered, if it is on a host of the swarm', () => {
  const seen = view({
    '10.0.1.21': ['', 'kernel', HOST],
    '10.0.1.22': ['', 'kernel', '192.168.66.6'],
    '10.0.1.1': ['', 'kernel', HOST],
    '10.9.9.9': ['', 'kernel', HOST],
  });
  expect(plan(seen, {})).toEqual({
    ...NOTHING,
    add: { ip: [neighbour('10.0.1.21').split(' ')], bridge: [] },
  });
  const later = view({ '10.0.1.21': ['balancer', '', ''], '10.0.1.22': ['balancer', 'kernel', HOST] });
  expect(words(plan(later, {}).remove.ip)).toEqual(['neigh del 10.0.1.21 dev vxlan0']);
});
