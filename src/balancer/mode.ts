import { existsSync } from 'node:fs';
import type { BalancerMode } from '../model/index.ts';
import type { HostAccess } from './host-access.ts';
import { NOT_STARTED } from './kernel/commands.ts';
import type { BalancerOptions } from './types.ts';

/** What this host can do. */
export interface Ability {
  readonly mode: BalancerMode;
  /** In words, for the report. */
  readonly problems: readonly string[];
  /** The engine holds published ports itself: it balances too. */
  readonly ipvs: boolean;
  readonly conntrack: boolean;
  /** It does not balance, and can take away what it did in another mode. */
  readonly clears: boolean;
}

export function hasIpvs(): boolean {
  return existsSync('/proc/net/ip_vs');
}

/** Who balances here, as far as it can be said without asking any program. */
export function guessAbility(wished: BalancerOptions['mode'], host: HostAccess): Ability {
  const ipvs = host.hasIpvs();
  const mode = wished === 'off' ? 'none' : ipvs && wished === 'auto' ? 'engine' : 'nftables';
  return { mode, problems: [], ipvs, conntrack: true, clears: false };
}

/**
 * Who balances here. `auto` leaves it to the engine where the kernel has IPVS, or loads it when asked, as the
 * engine asks it.
 */
export async function findAbility(wished: BalancerOptions['mode'], host: HostAccess): Promise<Ability> {
  if (!host.hasIpvs() && wished === 'auto')
    await host.commands.run({ netns: '', program: 'modprobe', args: ['-q', 'ip_vs'] });
  const ability = guessAbility(wished, host);
  const missing = host.uid === 0 ? await missingPrograms(host) : [];
  if (ability.mode !== 'nftables') return { ...ability, clears: host.uid === 0 && missing.length === 0 };
  const none = { ...ability, mode: 'none' } as const;
  if (host.uid !== 0) return { ...none, problems: ['this node does not balance: that needs root'] };
  if (missing.length > 0)
    return {
      ...none,
      problems: [`this node does not balance, because programs are missing: ${missing.join(', ')}`],
    };
  if (await runs(host, 'conntrack', '--version')) return ability;
  return {
    ...ability,
    conntrack: false,
    problems: [
      'connections to tasks that have ended are not reset: conntrack (Debian package conntrack) is missing',
    ],
  };
}

/** The programs that are needed, by their Debian packages. */
const PROGRAMS = [
  ['nft', '--version', 'nftables'],
  ['ip', '-V', 'iproute2'],
  ['iptables', '--version', 'iptables'],
  ['nsenter', '--version', 'util-linux'],
] as const;

async function missingPrograms(host: HostAccess): Promise<string[]> {
  const missing: string[] = [];
  for (const [program, asked, debian] of PROGRAMS)
    if (!(await runs(host, program, asked))) missing.push(`${program} (Debian package ${debian})`);
  return missing;
}

async function runs(host: HostAccess, program: string, asked: string): Promise<boolean> {
  return (await host.commands.run({ netns: '', program, args: [asked] })).code !== NOT_STARTED;
}
