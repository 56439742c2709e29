import { messageOf } from '../../../base/errors.ts';
import type { DoctorFinding, MeshPortRef } from '../../../model/index.ts';
import { fault, warning } from '../finding.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { GATEWAY_BRIDGE } from '../../rules/index.ts';
import type { Entry } from './entry-links.ts';
import { iptablesHook } from './iptables-hook.ts';
import { nftHooks } from './nft-hooks.ts';
import type { Packets } from './packets.ts';
import { walk, type Hook } from './walk.ts';

/** What is looked at of a host's firewall, at most. */
const MOST_PORTS = 16;
const MOST_ENTRIES = 8;
/** What is named of each. */
const MOST_NAMED = 5;
const SUBJECT = 'firewall';

export interface PassageQuestion {
  readonly meshAddress: string;
  readonly ports: readonly MeshPortRef[];
  readonly entries: readonly Entry[];
}

/** What an owner's rules do with what is for published ports, and with the answers: nothing where they let all of it through. */
export async function passageFindings(
  kernel: Kernel,
  iptables: () => Promise<readonly string[]>,
  question: PassageQuestion,
): Promise<readonly DoctorFinding[]> {
  const [lines, version, ruleset] = await Promise.all([
    iptables(),
    kernel.commands.run({ netns: '', program: 'iptables', args: ['--version'] }),
    kernel.ruleset('').catch(messageOf),
  ]);
  const hooks = [iptablesHook(lines)];
  try {
    hooks.push(...nftHooks(ruleset, version.stdout.includes('nf_tables')));
  } catch {
    return [
      ...judge(hooks, question),
      warning(SUBJECT, `The rules of nft can't be seen: ${ruleset.slice(0, 200)}`),
    ];
  }
  return judge(hooks, question);
}

/** What one rule does to some of the ports, by some of the interfaces. */
interface Drop {
  readonly hook: Hook;
  readonly rule: string;
  readonly state: Packets['state'];
  /** Nothing of it gets through. */
  readonly whole: boolean;
  readonly ports: Set<string>;
  readonly entries: Set<Entry>;
}

function judge(hooks: readonly Hook[], question: PassageQuestion): DoctorFinding[] {
  const entries = question.entries.slice(0, MOST_ENTRIES);
  const drops = new Map<string, Drop>();
  for (const entry of entries)
    for (const port of question.ports.slice(0, MOST_PORTS))
      for (const packets of bothWays(question.meshAddress, entry, port))
        for (const hook of hooks) note(drops, hook, packets, entry);
  const all = [...drops.values()];
  // Who lets in by one interface what he drops at another means it.
  const whole = all.filter((one) => one.whole && one.entries.size === entries.length);
  if (whole.length > 0) return whole.slice(0, MOST_NAMED).map((one) => fault(SUBJECT, wholeWords(one)));
  const [first, ...more] = all;
  return first ? [warning(SUBJECT, partWords(first, more.length, first.entries.size < entries.length))] : [];
}

/** What comes in, and what goes back. */
function bothWays(
  meshAddress: string,
  { link, address }: Entry,
  { protocol, published }: MeshPortRef,
): Packets[] {
  const common = { protocol, publishedAt: address, publishedPort: published };
  return [
    {
      ...common,
      ...{ state: 'new', inBy: link, outBy: GATEWAY_BRIDGE },
      ...{ source: '', destination: meshAddress, sourcePort: 0, destinationPort: published },
    },
    {
      ...common,
      ...{ state: 'established', inBy: GATEWAY_BRIDGE, outBy: link },
      ...{ source: meshAddress, destination: '', sourcePort: published, destinationPort: 0 },
    },
  ];
}

function note(drops: Map<string, Drop>, hook: Hook, packets: Packets, entry: Entry): void {
  const passage = walk(hook, packets);
  const rule = passage.passes ? passage.drops[0] : passage.drops.at(-1);
  if (rule === undefined) return;
  const { state, protocol, publishedPort } = packets;
  const whole = !passage.passes;
  // Answers go to any port of any client: most rules would drop some.
  if (!whole && state === 'established') return;
  const key = `${whole} ${state} ${rule}`;
  const drop = drops.get(key) ?? { hook, rule, state, whole, ports: new Set(), entries: new Set() };
  drop.ports.add(`${publishedPort}/${protocol}`);
  drop.entries.add(entry);
  drops.set(key, drop);
}

function wholeWords({ hook, rule, state, ports }: Drop): string {
  return (
    `${subjectOf(state, ports)} is dropped by ${rule}: change that, or let it through before ` +
    `(${hook.letThrough(state, rule)})`
  );
}

function partWords({ rule, state, ports, entries }: Drop, more: number, bySome: boolean): string {
  const names = [...entries].map(({ link, address }) => `${link} (${address})`);
  const where = bySome ? ` by ${some(new Set(names))}` : '';
  const others = more === 0 ? '' : `, and ${more} more like it`;
  return `Some of ${subjectOf(state, ports).replace('What', 'what')}${where} may be dropped, by ${rule}${others}`;
}

function subjectOf(state: Packets['state'], ports: ReadonlySet<string>): string {
  const named = `published port${ports.size === 1 ? '' : 's'} ${some(ports)}`;
  return state === 'new' ? `What comes for ${named}` : `What ${named} answer${ports.size === 1 ? 's' : ''}`;
}

function some(names: ReadonlySet<string>): string {
  const all = [...names];
  const rest = all.length - MOST_NAMED;
  return all.slice(0, MOST_NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
