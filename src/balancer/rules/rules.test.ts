import { describe, expect, it } from 'vitest';
import type { MeshPort } from '../../model/index.ts';
import { firewallRules, rules, type Place, type Unit } from './index.ts';
import { backend, ingress, network, published, service, wish } from './testing.ts';

const three = ['10.0.1.12', '10.0.1.3', '10.0.1.4'].map((address) => backend(address));

/** The unit in the host's, the mesh's or the network's place. */
function unitAt(kind: Place['kind'], units: readonly Unit[]): Unit {
  const found = units.find(({ place }) => place.kind === kind);
  if (!found) throw new Error(`no unit at ${kind}`);
  return found;
}

describe('a virtual IP', () => {
  it('leads to its tasks in turn, whatever order they are told in', () => {
    const [unit] = rules.units(wish, service('10.0.1.2', three));
    expect(unit).toMatchObject({ place: { kind: 'network', networkId: 'net' }, addresses: ['10.0.1.2'] });
    expect(unit?.add).toEqual([
      'add chain ip skep v.10.0.1.2',
      'flush chain ip skep v.10.0.1.2',
      'add rule ip skep v.10.0.1.2 dnat to numgen inc mod 3 map { 0 : 10.0.1.3, 1 : 10.0.1.4, 2 : 10.0.1.12 }',
      'add element ip skep vips { 10.0.1.2 : goto v.10.0.1.2 }',
    ]);
    const [same] = rules.units(wish, service('10.0.1.2', three.toReversed()));
    expect(same?.fingerprint).toBe(unit?.fingerprint);
  });

  it('begins with another task on another node', () => {
    const firsts = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((nodeId) => {
      const [unit] = rules.units({ ...wish, facts: { ...wish.facts, nodeId } }, service('10.0.1.2', three));
      return /0 : (\S+)[, ]/.exec(unit?.add.join() ?? '')?.[1];
    });
    expect(new Set(firsts).size).toBe(3);
  });

  it('is there without tasks, and leads nowhere', () => {
    const [unit] = rules.units(wish, service('10.0.1.2', [backend('10.0.1.3', { state: 'leaving' })]));
    expect(unit).toMatchObject({ addresses: ['10.0.1.2'], add: [], remove: [] });
  });

  it('is none for dnsrr, or on a network that the host is not on', () => {
    expect(rules.units(wish, service('', three))).toEqual([]);
    expect(rules.units(wish, { ...service('10.0.1.2', three), networkId: 'other' })).toEqual([]);
  });
});

describe('published ports', () => {
  const two = ['10.0.0.7', '10.0.0.6'].map((address) => backend(address));
  const turn = 'numgen inc mod 2 map { 0 : 10.0.0.6, 1 : 10.0.0.7 }';

  it('go to the target in the tasks, by one chain for each target', () => {
    const units = rules.units(wish, published(['8080:80', '9090:80', '53:53/udp'], two));
    expect(unitAt('mesh', units).add).toEqual([
      ...['add chain ip skep s.web', 'flush chain ip skep s.web', `add rule ip skep s.web dnat to ${turn}`],
      'add chain ip skep s.web.tcp.80',
      'flush chain ip skep s.web.tcp.80',
      `add rule ip skep s.web.tcp.80 meta l4proto tcp dnat to ${turn} : 80`,
      'add chain ip skep p.udp.53',
      'flush chain ip skep p.udp.53',
      'add rule ip skep p.udp.53 goto s.web',
      'add element ip skep ports { udp . 53 : goto p.udp.53 }',
      'add chain ip skep p.tcp.8080',
      'flush chain ip skep p.tcp.8080',
      'add rule ip skep p.tcp.8080 goto s.web.tcp.80',
      'add element ip skep ports { tcp . 8080 : goto p.tcp.8080 }',
      'add chain ip skep p.tcp.9090',
      'flush chain ip skep p.tcp.9090',
      'add rule ip skep p.tcp.9090 goto s.web.tcp.80',
      'add element ip skep ports { tcp . 9090 : goto p.tcp.9090 }',
    ]);
  });

  it('are left as they are where the target is a published port too: the engine makes the target of them', () => {
    const [, mesh] = rules.units(wish, published(['8080:80', '90:8080'], two));
    expect(mesh?.add).toContain('add rule ip skep p.tcp.90 goto s.web');
    expect(mesh?.add).toContain('add rule ip skep p.tcp.8080 goto s.web.tcp.80');
  });

  it('are taken on the host, but for those that something listens on', () => {
    const units = rules.units(wish, published(['8080:80', '22:22', '22:22/udp'], two));
    expect(unitAt('host', units).add).toEqual([
      'add element ip skep ports { udp . 22 }',
      'add element ip skep ports { tcp . 8080 }',
    ]);
  });

  it('are taken on the host without tasks too, for the sandbox to refuse', () => {
    const units = rules.units(wish, published(['8080:80'], []));
    expect(units.map(({ place }) => place.kind)).toEqual(['host']);
  });

  it('are nowhere as long as the mesh has no address', () => {
    const without = { ...wish, facts: { ...wish.facts, meshAddress: '', meshPrefix: '' } };
    expect(rules.units(without, published(['8080:80'], two))).toEqual([]);
    expect(rules.frames(without, []).map(({ place }) => place.kind)).toEqual(['network']);
  });

  it('keep clients where the service asks for it and the task is ready', () => {
    const backends = [backend('10.0.0.6', { keepsClients: true }), backend('10.0.0.7')];
    const wanted = rules.units(wish, published(['80:80'], backends, { keepClients: true }));
    expect(unitAt('mesh', wanted).add[0]).toBe('add element ip skep keepers { 10.0.0.6 }');
    expect(unitAt('mesh', wanted).add.join()).not.toContain('keepers { 10.0.0.7 }');
    const unwanted = rules.units(wish, published(['80:80'], backends));
    expect(unitAt('mesh', unwanted).add.join()).not.toContain('keepers');
  });
});

describe('a change', () => {
  const one = published(['8080:80'], [backend('10.0.0.6')]);

  it('of a task touches its service alone, and of that what differs', () => {
    const more = { ...one, backends: [...one.backends, backend('10.0.0.7')] };
    const [before, after] = [one, more].map((each) => unitAt('mesh', rules.units(wish, each)));
    expect(rules.change(before, after)).toEqual({
      remove: [],
      add: [
        'add chain ip skep s.web.tcp.80',
        'flush chain ip skep s.web.tcp.80',
        expect.stringMatching(/^add rule ip skep s\.web\.tcp\.80 .*10\.0\.0\.6.*10\.0\.0\.7/) as string,
      ],
    });
    expect(rules.change(after, after)).toEqual({ remove: [], add: [] });
  });

  it('of the ports frees a chain before it removes what that led to', () => {
    const other = published(['8080:8080'], [backend('10.0.0.6')]);
    const [before, after] = [one, other].map((each) => unitAt('mesh', rules.units(wish, each)));
    const { remove } = rules.change(before, after);
    expect(remove.indexOf('flush chain ip skep p.tcp.8080')).toBeGreaterThanOrEqual(0);
    expect(remove.indexOf('flush chain ip skep p.tcp.8080')).toBeLessThan(
      remove.indexOf('delete chain ip skep s.web.tcp.80'),
    );
  });
});

describe('a task that keeps its clients', () => {
  const own = backend('10.0.0.6', { nodeId: 'here' });
  const keeping = published(['80:80', '53:53/udp'], [own, backend('10.0.0.7')], { keepClients: true });

  it('answers by the node that each came through', () => {
    const [frame, ...others] = rules.frames(wish, [keeping]).filter(({ place }) => place.kind === 'task');
    expect(others).toEqual([]);
    expect(frame?.place).toEqual({ kind: 'task', taskId: own.taskId });
    expect(frame?.nft).toContain('add element ip skep marks { 02:42:0a:00:00:03 : 167772163 }');
    expect(frame?.routes.map(({ add }) => add.join(' '))).toEqual([
      'rule add pref 100 fwmark 167772162 lookup 167772162',
      'route replace default via 10.0.0.2 table 167772162',
      'rule add pref 100 fwmark 167772163 lookup 167772163',
      'route replace default via 10.0.0.3 table 167772163',
    ]);
  });

  it('is no place where the service does not ask for it', () => {
    const kinds = rules.frames(wish, [{ ...keeping, keepClients: false }]).map(({ place }) => place.kind);
    expect(kinds).toEqual(['network', 'host', 'mesh']);
  });
});

describe('connections', () => {
  const serving = service('10.0.1.2', [backend('10.0.1.3'), backend('10.0.1.4')]);

  it('of one that leaves stay, but for UDP', () => {
    const leaving = service('10.0.1.2', [backend('10.0.1.3'), backend('10.0.1.4', { state: 'leaving' })]);
    expect(rules.flows(wish, serving, leaving)).toEqual([
      {
        ...{ place: { kind: 'network', networkId: 'net' }, protocol: 'udp', backend: '10.0.1.4' },
        ...{ destination: '10.0.1.2', port: 0 },
      },
    ]);
    expect(rules.flows(wish, leaving, leaving)).toEqual([]);
    expect(rules.flows(wish, leaving, serving)).toEqual([]);
  });

  it('of one that has ended are forgotten', () => {
    const flows = rules.flows(wish, serving, service('10.0.1.2', [backend('10.0.1.3')]));
    expect(flows.map(({ protocol, backend: to }) => `${protocol} ${to}`)).toEqual([
      ...['tcp 10.0.1.4', 'udp 10.0.1.4', 'sctp 10.0.1.4'],
    ]);
    expect(rules.flows(wish, serving, undefined)).toHaveLength(6);
  });

  it('to a port that is published now, or no more, are forgotten on the host where they are UDP', () => {
    const before = published(['53:53/udp', '80:80'], []);
    const after = published(['54:53/udp', '81:80'], []);
    const ports = rules
      .flows(wish, before, after)
      .map(({ place, protocol, port }) => ({ place, protocol, port }));
    expect(ports).toEqual([53, 54].map((port) => ({ place: { kind: 'host' }, protocol: 'udp', port })));
  });
});

describe('what makes no sense', () => {
  const bad = ['1.2.3', '10.0.0.6; flush ruleset', '10.0.0.6\n', '::1', '', '10.0.0.256', '__proto__'];

  it('is left out of addresses', () => {
    const backends = [...bad, '10.0.0.6'].map((address) => backend(address, { nodeId: 'here' }));
    const asked = published(['80:80'], backends, { keepClients: true });
    const entries = [...bad, '10.0.0.2'].map((address) => ({ nodeId: 'here', address }));
    const hostile = { ...wish, networks: new Map([['ingr', { ...ingress, entries }]]) };
    expect(rules.frames(hostile, [asked]).filter(({ place }) => place.kind === 'task')).toHaveLength(1);
    const lines = [
      ...rules.units(hostile, asked).flatMap(({ add, remove }) => [...add, ...remove]),
      ...rules
        .frames(hostile, [asked])
        .flatMap(({ nft, routes }) => [...nft, ...routes.flatMap(({ add }) => add)]),
    ];
    for (const line of lines) expect(line).toMatch(/^[^\n;]*$|^add (chain|ct timeout|map|set) [^\n]*$/);
    expect(lines.join('\n')).not.toMatch(/flush ruleset|1\.2\.3|256|proto__|::1/);
    for (const virtualIp of bad) expect(rules.units(wish, service(virtualIp, backends))).toEqual([]);
  });

  it('is left out of ports and protocols', () => {
    const ports = [0, -1, 65_536, 1.5, NaN, '80; drop' as unknown as number].flatMap((port): MeshPort[] => [
      { protocol: 'tcp', published: port, target: 80 },
      { protocol: 'tcp', published: 80, target: port },
    ]);
    const icmp = { protocol: 'icmp' as 'tcp', published: 1, target: 1 };
    expect(rules.units(wish, { ...published([], [backend('10.0.0.6')]), ports: [...ports, icmp] })).toEqual(
      [],
    );
  });

  it('is hashed in names of chains', () => {
    const [, mesh] = rules.units(wish, published(['80:80'], [backend('10.0.0.6')], { serviceId: 'a }\n' }));
    expect(mesh?.add[0]).toMatch(/^add chain ip skep s\.x\.[0-9a-f]{32}$/);
  });

  it('does not make a virtual IP lead to itself', () => {
    const [unit] = rules.units(wish, service('10.0.1.2', [backend('10.0.1.2')]));
    expect(unit?.add).toEqual([]);
  });
});

describe('the frames', () => {
  it('are those of every network, of the host and of the mesh', () => {
    const frames = rules.frames(wish, []);
    expect(frames.map(({ place }) => place)).toEqual([
      { kind: 'network', networkId: network.id },
      { kind: 'host' },
      { kind: 'mesh' },
    ]);
    for (const { nft } of frames)
      expect(nft.slice(0, 3)).toEqual(['add table ip skep', 'delete table ip skep', 'add table ip skep']);
  });

  it('translate before Docker, and after IPVS refuse what nothing has taken', () => {
    const text = rules
      .frames(wish, [])
      .flatMap(({ nft }) => nft)
      .join('\n');
    for (const [, , priority] of text.matchAll(/type nat hook (prerouting|output) priority (\S+)/g))
      expect(Number(priority)).toBeLessThan(-100);
    expect([...text.matchAll(/refuse { type filter hook input priority 150/g)]).toHaveLength(2);
  });

  it('need the firewall to let in what was translated, and answers out', () => {
    expect(firewallRules('172.18.0.2').map((rule) => rule.join(' '))).toEqual([
      '-d 172.18.0.2/32 -o docker_gwbridge -m conntrack --ctstate DNAT -j ACCEPT',
      '-s 172.18.0.2/32 -i docker_gwbridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ]);
  });
});
