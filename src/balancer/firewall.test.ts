import { expect, test } from 'vitest';
import { Firewall } from './firewall.ts';
import { firewallRules } from './rules/index.ts';
import { FakeHost } from './testing/fake-host.ts';

const OPENINGS = firewallRules('172.18.0.2');
const ours = (chain: string): string[] =>
  OPENINGS.map((one) => ['-A', chain, '-m', 'comment', '--comment', 'skep', ...one].join(' '));

function firewall(): { host: FakeHost; open: () => Promise<void>; close: () => Promise<void> } {
  const host = new FakeHost();
  const one = new Firewall(host.commands);
  return { host, open: () => one.keep(OPENINGS), close: () => new Firewall(host.commands).close() };
}

test("openings go after the owner's rules, before a last RETURN, once", async () => {
  const { host, open, close } = firewall();
  const drop = '-A DOCKER-USER -s 10.9.9.9/32 -m comment --comment skep -j DROP';
  host.chains.set('DOCKER-USER', ['-N DOCKER-USER', drop, '-A DOCKER-USER -j RETURN']);
  await open();
  await open();
  const wanted = ['-N DOCKER-USER', drop, ...ours('DOCKER-USER'), '-A DOCKER-USER -j RETURN'];
  expect(host.chains.get('DOCKER-USER')).toEqual(wanted);
  const runs = host.runs.length;
  await open();
  expect(host.runs.slice(runs).every(({ args }) => args.includes('-S'))).toBe(true);
  await close();
  expect(host.chains.get('DOCKER-USER')).toEqual(['-N DOCKER-USER', drop, '-A DOCKER-USER -j RETURN']);
});

test('where the way to that chain is gone they are in FORWARD, until it is back', async () => {
  const { host, open } = firewall();
  await open();
  host.chains.set('FORWARD', ['-P FORWARD DROP']);
  host.chains.set('DOCKER-USER', ['-N DOCKER-USER']);
  await open();
  expect(host.chains.get('FORWARD')).toEqual(['-P FORWARD DROP', ...ours('FORWARD')]);
  host.chains.get('FORWARD')?.splice(1, 0, '-A FORWARD -j DOCKER-USER');
  await open();
  expect(host.chains.get('FORWARD')).toEqual(['-P FORWARD DROP', '-A FORWARD -j DOCKER-USER']);
  expect(host.chains.get('DOCKER-USER')).toEqual(['-N DOCKER-USER', ...ours('DOCKER-USER')]);
});

test('where nothing is dropped nothing is opened', async () => {
  const { host, open } = firewall();
  host.chains.delete('DOCKER-USER');
  host.chains.set('FORWARD', ['-P FORWARD ACCEPT']);
  await open();
  expect(host.chains.get('FORWARD')).toEqual(['-P FORWARD ACCEPT']);
});

test('what iptables says is passed on', async () => {
  const { host, open } = firewall();
  host.missing.add('iptables');
  await expect(open()).rejects.toThrow('iptables: iptables: not found');
});
