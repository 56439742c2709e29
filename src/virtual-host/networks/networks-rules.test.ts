import { describe, expect, it } from 'vitest';
import { chooseDriver } from './networks-driver.ts';
import { commonNodes, networkFilters, type NetworkRule } from './networks-rules.ts';

const one = { name: 'core-01' };
const two = { name: 'core-02' };
const only = (name: string, ...nodes: (typeof one)[]): NetworkRule<typeof one> => ({
  kind: 'only',
  name,
  nodes,
});
const anywhere = (name: string, home: typeof one): NetworkRule<typeof one> => ({
  kind: 'anywhere',
  name,
  home,
});

describe('the rules of several networks', () => {
  it('leave the nodes that have all of them', () => {
    expect(commonNodes([anywhere('a', one)])).toBeUndefined();
    expect(commonNodes([anywhere('a', one), only('b', two)])).toEqual([two]);
    expect(commonNodes([only('a', one, two), only('b', two)])).toEqual([two]);
  });

  it('name the networks and their nodes when none is left', () => {
    expect(commonNodes([only('a', one), only('b', two)])).toBe(
      "a container can't be on networks of different nodes: a is on core-01, b is on core-02",
    );
  });

  it('become filters that name the network and its node', () => {
    const [filter] = networkFilters([only('web', two)], (node) => node, { prefer: true });
    expect(filter?.soft).toBeUndefined();
    expect([one, two].map((node) => filter?.check(node))).toEqual([false, true]);
    expect(filter?.explain(one)).toBe('network web is on core-02');
  });

  it('prefer the node that spares a move, but never against a wish of the user', () => {
    const rules = [anywhere('web', two)];
    const [filter] = networkFilters(rules, (node) => node, { prefer: true });
    expect(filter?.soft).toBe(true);
    expect([one, two].map((node) => filter?.check(node))).toEqual([false, true]);
    expect(networkFilters(rules, (node) => node, { prefer: false })).toEqual([]);
  });
});

describe('the driver of a new network', () => {
  const plain = { hasStore: false, managesSwarm: false };
  const storing = { hasStore: true, managesSwarm: false };
  const managing = { hasStore: false, managesSwarm: true };

  it('is overlay where an engine has a store, else bridge', () => {
    expect(chooseDriver('', [plain, storing])).toEqual({ driver: 'overlay', nodes: [storing] });
    expect(chooseDriver('', [plain, managing])).toEqual({ driver: 'bridge', nodes: [plain, managing] });
  });

  it('is the one asked for, on nodes that can have it', () => {
    expect(chooseDriver('bridge', [plain, storing])).toEqual({ driver: 'bridge', nodes: [plain, storing] });
    expect(chooseDriver('overlay', [plain, storing, managing])).toEqual({
      driver: 'overlay',
      nodes: [storing],
    });
    expect(chooseDriver('overlay', [plain, managing])).toEqual({ driver: 'overlay', nodes: [managing] });
    expect(() => chooseDriver('overlay', [plain])).toThrow(/--cluster-store/);
  });
});
