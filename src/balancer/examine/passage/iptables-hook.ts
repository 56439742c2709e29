import { iptablesWords } from '../../iptables-words.ts';
import { GATEWAY_BRIDGE } from '../../rules/index.ts';
import { addressesIn, either, nameLike, not, portIn, when, type Met, type Packets } from './packets.ts';
import type { Hook, Rule, Then } from './walk.ts';

const START = 'FORWARD';
const OWNERS = 'DOCKER-USER';

/** Extensions of iptables that are nothing without their options, which are read. */
const KNOWN_MODULES: ReadonlySet<string> = new Set([
  ...['tcp', 'udp', 'sctp', 'multiport', 'conntrack', 'state', 'comment'],
]);

const ENDS: ReadonlyMap<string, Then> = new Map([
  ['ACCEPT', { kind: 'accept' }],
  ['DROP', { kind: 'drop' }],
  ['REJECT', { kind: 'drop' }],
  ['RETURN', { kind: 'return' }],
]);

/** What is forwarded meets this, by what `iptables -S` shows of its table `filter`. */
export function iptablesHook(lines: readonly string[]): Hook {
  const chains = new Map<string, Rule[]>();
  for (const line of lines) {
    const [action, name = ''] = iptablesWords(line);
    if (action === '-N' || action === '-P') chains.set(name, []);
  }
  for (const line of lines) {
    const [action, name = '', ...words] = iptablesWords(line);
    if (action === '-A') chains.get(name)?.push(readRule(line, words, chains));
  }
  return {
    start: START,
    chains,
    dropPolicy: lines.includes(`-P ${START} DROP`) ? `the policy DROP of iptables' chain ${START}` : '',
    letThrough: (state, rule) => {
      const chain = rule.includes(` ${OWNERS} `) ? OWNERS : START;
      const what =
        state === 'new' ? ['-o', GATEWAY_BRIDGE, 'DNAT'] : ['-i', GATEWAY_BRIDGE, 'RELATED,ESTABLISHED'];
      return `iptables -I ${chain} ${what[0]} ${what[1]} -m conntrack --ctstate ${what[2]} -j ACCEPT`;
    },
  };
}

function readRule(line: string, words: readonly string[], chains: ReadonlyMap<string, unknown>): Rule {
  const conditions: Rule['conditions'][number][] = [];
  let then: Then = { kind: 'pass' };
  let isNegated = false;
  for (let at = 0; at < words.length; at++) {
    const option = words[at] ?? '';
    if (option === '!') {
      isNegated = true;
      continue;
    }
    const values: string[] = [];
    while (at + 1 < words.length && !/^(-[a-z-]|!$)/.test(words[at + 1] ?? ''))
      values.push(words[++at] ?? '');
    if (option === '-j' || option === '-g') {
      then = thenOf(option, values[0] ?? '', chains);
      break; // the rest is the target's
    }
    const condition = conditionOf(option, values);
    if (condition) conditions.push(isNegated ? (packets) => not(condition(packets)) : condition);
    isNegated = false;
  }
  return { text: `iptables' rule "${line}"`, conditions, then };
}

function thenOf(option: '-j' | '-g', target: string, chains: ReadonlyMap<string, unknown>): Then {
  const end = ENDS.get(target);
  if (end) return end;
  if (!chains.has(target)) return { kind: 'pass' };
  return { kind: option === '-j' ? 'jump' : 'goto', chain: target };
}

/** Undefined for what is no condition. */
function conditionOf(option: string, values: readonly string[]): ((packets: Packets) => Met) | undefined {
  const [value = ''] = values;
  switch (option) {
    case '--comment':
      return undefined;
    case '-m':
      return KNOWN_MODULES.has(value) ? undefined : () => 'some';
    case '-s': {
      const isIn = addressesIn(value);
      return ({ source }) => isIn(source);
    }
    case '-d': {
      const isIn = addressesIn(value);
      return ({ destination }) => isIn(destination);
    }
    case '-i':
      return ({ inBy }) => nameLike(inBy, value, '+');
    case '-o':
      return ({ outBy }) => nameLike(outBy, value, '+');
    case '-p':
      return ({ protocol }) => when(value === protocol || value === 'all');
    case '--dport':
    case '--dports':
      return ({ destinationPort }) => inPorts(destinationPort, value);
    case '--sport':
    case '--sports':
      return ({ sourcePort }) => inPorts(sourcePort, value);
    case '--ctorigdst': {
      const isIn = addressesIn(value);
      return ({ publishedAt }) => isIn(publishedAt);
    }
    case '--ctorigdstport':
      return ({ publishedPort }) => inPorts(publishedPort, value);
    case '--ctstate':
    case '--state':
      return ({ state }) => when(statesOf(value).some((one) => one === state || one === 'dnat'));
    case '--ctdir':
      return ({ state }) => when((value === 'ORIGINAL') === (state === 'new'));
    case '--tcp-flags':
      return firstPacket(values);
    default:
      return () => 'some';
  }
}

function statesOf(value: string): string[] {
  return value.toLowerCase().split(',');
}

/** `80,443,8000:8100` */
function inPorts(port: number, list: string): Met {
  return either(
    list.split(',').map((one) => {
      const [from = '', to = from] = one.split(':');
      return portIn(port, from === '' ? 0 : Number(from), to === '' ? 65_535 : Number(to));
    }),
  );
}

/** What `--syn` is shown as; of other flags nothing is known. */
function firstPacket([mask, set]: readonly string[]): (packets: Packets) => Met {
  if (mask !== 'FIN,SYN,RST,ACK' || set !== 'SYN') return () => 'some';
  return ({ state, protocol }) => when(state === 'new' && protocol === 'tcp');
}
