import { describe, expect, test } from 'vitest';
import { Kernel } from '../../kernel/kernel.ts';
import { Firewall } from '../../firewall.ts';
import { FakeHost } from '../../testing/fake-host.ts';
import { type Entry } from './entry-links.ts';
import { forwardingFindings } from './forwarding.ts';
import { passageFindings } from './passage-findings.ts';

const OPENINGS = [
  '-A DOCKER-USER -d 172.18.0.2/32 -o docker_gwbridge -m comment --comment skep -m conntrack --ctstate DNAT -j ACCEPT',
  '-A DOCKER-USER -s 172.18.0.2/32 -i docker_gwbridge -m comment --comment skep -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
];
const PORTS = [
  { protocol: 'tcp', published: 8080 },
  { protocol: 'udp', published: 53 },
] as const;

function host(...ownersRules: string[]): FakeHost {
  const one = new FakeHost();
  const rules = ownersRules.map((rule) => `-A DOCKER-USER ${rule}`);
  one.chains.set('DOCKER-USER', ['-N DOCKER-USER', ...rules, ...OPENINGS, '-A DOCKER-USER -j RETURN']);
  return one;
}

const ENTRY = { link: 'eth0', address: '192.168.0.2' };
const OTHER = { link: 'eth1', address: '10.0.7.2' };

async function lines(one: FakeHost, entries: readonly Entry[] = [ENTRY]): Promise<string[]> {
  const kernel = new Kernel(one.commands, 'ip skep', true);
  const firewall = new Firewall(one.commands);
  const question = { meshAddress: '172.18.0.2', ports: PORTS, entries };
  const found = await passageFindings(kernel, () => firewall.listing(), question);
  return found.map(({ verdict, text }) => `${verdict} ${text}`);
}

test("an engine's own rules, with the balancer's openings, let all through", async () => {
  expect(await lines(host())).toEqual([]);
});

describe('rules of the owner that let all through', () => {
  test.each([
    ['-i eth1 -j DROP'],
    ['-d 172.17.0.0/16 -j DROP'],
    ['-o docker0 -j DROP'],
    ['-p tcp -m tcp --dport 22 -j DROP'],
    ['-p icmp -j DROP'],
    ['-m conntrack --ctstate INVALID -j DROP'],
    ['-j LOG --log-prefix "a -j DROP b"'],
    ['! -i eth+ -m conntrack --ctstate NEW -j DROP'],
    ['-p tcp -m conntrack --ctorigdst 192.168.0.7/32 --ctorigdstport 8080 -j DROP'],
    ['-p tcp -m conntrack --ctstate NEW -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP'],
  ])('%s', async (rule) => {
    expect(await lines(host(rule))).toEqual([]);
  });
});

describe('rules of the owner that drop what comes in', () => {
  test.each([
    ['-j DROP', '8080/tcp, 53/udp'],
    ['-i eth0 -j DROP', '8080/tcp, 53/udp'],
    ['-i eth+ -j REJECT --reject-with icmp-port-unreachable', '8080/tcp, 53/udp'],
    ['-o docker_gwbridge -j DROP', '8080/tcp, 53/udp'],
    ['-d 172.18.0.0/16 -j DROP', '8080/tcp, 53/udp'],
    ['-p tcp -m tcp --dport 8080 -j DROP', '8080/tcp'],
    ['-p udp -m multiport --dports 50:60,99 -j DROP', '53/udp'],
    ['-i eth0 -p tcp -m conntrack --ctorigdstport 8080 --ctdir ORIGINAL -j DROP', '8080/tcp'],
    ['-p tcp -m conntrack --ctorigdst 192.168.0.2/32 --ctorigdstport 8080 -j DROP', '8080/tcp'],
    ['! -i docker0 -m comment --comment "it is -j mine" -j DROP', '8080/tcp, 53/udp'],
  ])('%s', async (rule, ports) => {
    const [first] = await lines(host('-s 10.9.0.0/16 -j DROP', rule));
    const named = `published port${ports.includes(',') ? 's' : ''} ${ports}`;
    expect(first).toBe(
      `fault What comes for ${named} is dropped by iptables' rule "-A DOCKER-USER ${rule}": change that, or let it ` +
        'through before (iptables -I DOCKER-USER -o docker_gwbridge -m conntrack --ctstate DNAT -j ACCEPT)',
    );
  });
});

test('a rule that drops the answers', async () => {
  expect(await lines(host('-i docker_gwbridge -j DROP'))).toEqual([
    'fault What published ports 8080/tcp, 53/udp answer is dropped by iptables\' rule "-A DOCKER-USER -i docker_gwbridge -j DROP": ' +
      'change that, or let it through before (iptables -I DOCKER-USER -i docker_gwbridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT)',
  ]);
});

test('what is dropped of some sources, or at some interfaces, is a warning', async () => {
  expect(await lines(host('-s 10.0.0.0/8 -j DROP', '-s 11.0.0.0/8 -j DROP'))).toEqual([
    'warning Some of what comes for published ports 8080/tcp, 53/udp may be dropped, by iptables\' rule "-A DOCKER-USER -s 10.0.0.0/8 -j DROP"',
  ]);
  expect(await lines(host('-i eth1 -p tcp -j DROP'), [ENTRY, OTHER])).toEqual([
    'warning Some of what comes for published port 8080/tcp by eth1 (10.0.7.2) may be dropped, by iptables\' rule "-A DOCKER-USER -i eth1 -p tcp -j DROP"',
  ]);
  expect(await lines(host('-s 10.0.0.0/8 -j ACCEPT', '-m conntrack --ctstate NEW -j DROP'))).toEqual([
    expect.stringMatching(
      /^warning Some of .* by iptables' rule "-A DOCKER-USER -m conntrack --ctstate NEW -j DROP"$/,
    ),
  ]);
});

test('what the owner lets through by the address that it was sent to', async () => {
  const let8080 = '-p tcp -m conntrack --ctorigdst 192.168.0.2/32 --ctorigdstport 8080 -j ACCEPT';
  expect(await lines(host(let8080, '-i eth0 -j DROP'))).toEqual([
    expect.stringContaining('What comes for published port 53/udp is dropped by'),
  ]);
});

test('openings that are never met, because the owner returns before', async () => {
  expect(await lines(host('-p tcp -j RETURN'))).toEqual([
    "fault What comes for published port 8080/tcp is dropped by the policy DROP of iptables' chain FORWARD: change that, or let it through before " +
      '(iptables -I FORWARD -o docker_gwbridge -m conntrack --ctstate DNAT -j ACCEPT)',
    expect.stringMatching(/^fault What published port 8080\/tcp answers is dropped by the policy DROP/),
  ]);
});

describe('rules that are nft’s alone', () => {
  const chain = (name: string, more: object = {}): object => ({
    chain: { family: 'inet', table: 'fw', name, handle: 1, ...more },
  });
  const forward = chain('forward', { type: 'filter', hook: 'forward', prio: 0, policy: 'drop' });
  const rule = (name: string, ...expr: object[]): object => ({
    rule: { family: 'inet', table: 'fw', chain: name, handle: 7, expr },
  });
  const match = (left: object, right: unknown, op = '=='): object => ({ match: { op, left, right } });
  const meta = (key: string): object => ({ meta: { key } });
  const ct = (key: string): object => ({ ct: { key } });
  const port = { payload: { protocol: 'tcp', field: 'dport' } };
  const DNAT = [match(ct('status'), 'dnat', 'in'), { accept: null }];

  async function found(...items: object[]): Promise<string[]> {
    const one = host();
    one.ruleset = JSON.stringify({ nftables: items });
    return lines(one);
  }

  test('a policy that drops', async () => {
    const said = await found(forward, rule('forward', match(meta('iifname'), 'lo'), { accept: null }));
    expect(said[0]).toBe(
      "fault What comes for published ports 8080/tcp, 53/udp is dropped by the policy drop of nft's chain inet fw forward: " +
        'change that, or let it through before (nft insert rule inet fw forward oifname docker_gwbridge ct status dnat accept)',
    );
    expect(said).toHaveLength(2);
  });

  test.each([
    [
      'by its translation',
      [chain('zones'), rule('forward', { jump: { target: 'zones' } }), rule('zones', ...DNAT)],
    ],
    [
      'by a map of states, and by interface',
      [
        rule('forward', {
          vmap: {
            key: ct('state'),
            data: {
              set: [
                ['invalid', { drop: null }],
                ['established', { accept: null }],
              ],
            },
          },
        }),
        rule(
          'forward',
          match(meta('oifname'), { set: ['docker*', 'br0'] }),
          { counter: null },
          { accept: null },
        ),
      ],
    ],
    [
      'whatever is dropped is of something else',
      [
        rule('forward', match(port, { set: [22, { range: [9000, 9100] }] }), { drop: null }),
        rule('forward', match({ payload: { protocol: 'ip6', field: 'saddr' } }, '::1', '!='), { drop: null }),
        rule('forward', match(meta('l4proto'), { set: ['icmp', 'gre'] }), { reject: null }),
        rule('forward', { accept: null }),
      ],
    ],
  ])('what is let through: %s', async (_, items) => {
    expect(await found(forward, ...items)).toEqual([]);
  });

  test('a rule that drops, which is named so that it can be found', async () => {
    const drop = rule('forward', match(meta('iifname'), 'eth*'), match(port, 8080), { drop: null });
    expect(await found(forward, drop, rule('forward', { accept: null }))).toEqual([
      expect.stringContaining(
        "What comes for published port 8080/tcp is dropped by nft's rule 7 of chain inet fw forward (nft -a list chain inet fw forward)",
      ),
    ]);
  });

  test('a set with a name may hold anything', async () => {
    const drop = rule('forward', match({ payload: { protocol: 'ip', field: 'saddr' } }, '@bad'), {
      drop: null,
    });
    expect(await found(forward, drop, rule('forward', { accept: null }))).toEqual([
      expect.stringMatching(/^warning Some of what comes for published ports .* may be dropped/),
    ]);
  });

  test('what iptables shows too is looked at once', async () => {
    const own = { family: 'ip', table: 'filter', name: 'FORWARD' };
    expect(await found({ chain: { ...own, hook: 'forward', policy: 'drop' } })).toEqual([]);
  });

  test('chains that lead to one another in a ring, and words that make no sense, end', async () => {
    const ring = [
      chain('a'),
      rule('forward', { jump: { target: 'a' } }),
      rule('a', { jump: { target: 'a' } }),
    ];
    expect(
      await found(forward, ...ring, { rule: 7 }, { rule: { expr: 'x' } }, rule('forward', ...DNAT)),
    ).toEqual([]);
    const one = host('-j A', '--odd -j', '!', '-g');
    one.chains.set('A', ['-N A', '-A A -j A']);
    expect(await lines(one)).toEqual([]);
    one.ruleset = '{';
    expect(await lines(one)).toEqual(["warning The rules of nft can't be seen: {"]);
  });
});

describe('a kernel that does not forward', () => {
  const forwarding = async (settings: Record<string, string>): Promise<string[]> => {
    const one = host();
    for (const [path, value] of Object.entries(settings)) one.own.settings.set(path, value);
    const found = await forwardingFindings(new Kernel(one.commands, 'ip skep', true), [
      ENTRY,
      { link: 'eth1.7', address: '10.0.7.2' },
    ]);
    return found.map(({ verdict, text }) => `${verdict} ${text}`);
  };

  test('is named, with the setting', async () => {
    expect(await forwarding({})).toEqual([]);
    expect(await forwarding({ 'net/ipv4/ip_forward': '0', 'net/ipv4/conf/eth0/forwarding': '0' })).toEqual([
      'fault The kernel does not forward (net.ipv4.ip_forward is 0): published ports answer on this host alone, and containers ' +
        'reach nothing outside. Set it to 1 (sysctl -w net.ipv4.ip_forward=1), and see what set it to 0, below /etc/sysctl.d mostly',
    ]);
  });

  test('for one interface', async () => {
    expect(await forwarding({ 'net/ipv4/conf/eth1.7/forwarding': '0' })).toEqual([
      expect.stringContaining(
        '(net/ipv4/conf/eth1.7/forwarding is 0): nothing goes on that came in by eth1.7.',
      ),
    ]);
  });
});
