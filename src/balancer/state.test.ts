import { expect, test } from 'vitest';
import type { EndpointsUpdate } from '../model/index.ts';
import { PublishedPorts } from './published-ports.ts';
import { backend, ingress, network, published, service } from './rules/testing.ts';
import { KnownState, type Changes } from './state.ts';

const update = (version: number, more: Partial<EndpointsUpdate>): EndpointsUpdate => ({
  ...{ version, full: false, networks: [], goneNetworks: [], services: [], goneServices: [], questions: [] },
  ...more,
});

function fold(state: KnownState, one: EndpointsUpdate): { services: string[]; networks: boolean } {
  const changes: Changes = { services: new Set(), networks: false };
  state.fold(one, changes);
  return { services: [...changes.services].sort(), networks: changes.networks };
}

test('of what is told again nothing has changed', () => {
  const state = new KnownState();
  const all = { networks: [network, ingress], services: [service('10.0.1.5', [])] };
  expect(fold(state, update(1, { full: true, ...all }))).toEqual({ services: ['net/web'], networks: true });
  expect(fold(state, update(2, { full: true, ...all }))).toEqual({ services: [], networks: false });
  expect(state.version).toBe(2);
  const other = service('10.0.1.5', [backend('10.0.1.11')]);
  expect(fold(state, update(3, { services: [other] }))).toEqual({ services: ['net/web'], networks: false });
});

test('everything that a full update does not name is gone; a network goes with its services', () => {
  const state = new KnownState();
  const services = [service('10.0.1.5', []), published(['80:80'], [], { keepClients: true })];
  fold(state, update(1, { full: true, networks: [network, ingress], services }));
  expect([...state.keepers.keys()]).toEqual(['ingr/web']);
  expect(fold(state, update(2, { goneNetworks: ['net'] }))).toEqual({
    services: ['net/web'],
    networks: true,
  });
  expect(fold(state, update(3, { full: true, networks: [ingress] }))).toEqual({
    services: ['ingr/web'],
    networks: false,
  });
  expect([state.services.size, state.keepers.size]).toEqual([0, 0]);
});

test('a port is published while any service publishes it', () => {
  const ports = new PublishedPorts();
  expect(ports.put('a', published(['80:80', '53:53/udp'], []))).toBe(true);
  expect(ports.put('b', published(['80:81'], []))).toBe(false);
  expect(ports.put('a', published(['54:53/udp'], []))).toBe(true);
  expect([...ports.all.keys()]).toEqual(['tcp/80', 'udp/54']);
  expect(ports.put('b', undefined)).toBe(true);
  expect(ports.put('a', published(['54:53/udp'], [backend('10.0.0.11')]))).toBe(false);
  expect([...ports.all.keys()]).toEqual(['udp/54']);
});
