import { asArray, asNumber, asObject, asString, type Json } from '../../../base/json.ts';
import { GATEWAY_BRIDGE } from '../../rules/index.ts';
import { nftCondition, OPEN } from './nft-condition.ts';
import type { Hook, Rule, Then } from './walk.ts';

/** What says nothing about which packets are meant, nor what becomes of them. */
const NEUTRAL: ReadonlySet<string> = new Set([
  ...[
    'counter',
    'log',
    'mangle',
    'notrack',
    'flow',
    'set',
    'map',
    'dup',
    'meter',
    'secmark',
    'tproxy',
    'queue',
  ],
  ...['ct helper', 'ct timeout', 'ct expectation', 'last', 'synproxy'],
]);

/**
 * What is forwarded meets each of these, by what `nft --json list ruleset` shows. Those that iptables makes of its own rules
 * are left out where `ofIptables` says that they are looked at already.
 */
export function nftHooks(listing: string, ofIptables: boolean): Hook[] {
  const items = asArray(asObject(JSON.parse(listing)).nftables).map(asObject);
  const tables = new Map<string, Map<string, Rule[]>>();
  const starts: Json[] = [];
  for (const { chain } of items.map((item) => ({ chain: item.chain }))) {
    if (chain === undefined) continue;
    const one = asObject(chain);
    chainsOf(tables, one).set(asString(one.name), []);
    const isForward = one.hook === 'forward' && (one.family === 'ip' || one.family === 'inet');
    if (isForward && !(ofIptables && isOfIptables(one))) starts.push(one);
  }
  for (const { rule } of items) {
    if (rule === undefined) continue;
    const one = asObject(rule);
    chainsOf(tables, one)
      .get(asString(one.chain))
      ?.push(...readRule(one));
  }
  return starts.map((chain) => hookOf(chain, chainsOf(tables, chain)));
}

function hookOf({ family, table, name, policy }: Json, chains: ReadonlyMap<string, readonly Rule[]>): Hook {
  const path = [family, table, name].map(asString).join(' ');
  return {
    start: asString(name),
    chains,
    dropPolicy: policy === 'drop' ? `the policy drop of nft's chain ${path}` : '',
    letThrough: (state) =>
      `nft insert rule ${path} ${state === 'new' ? 'oifname' : 'iifname'} ${GATEWAY_BRIDGE} ct status dnat accept`,
  };
}

function chainsOf(tables: Map<string, Map<string, Rule[]>>, { family, table }: Json): Map<string, Rule[]> {
  const key = `${asString(family)} ${asString(table)}`;
  const known = tables.get(key);
  if (known) return known;
  const made = new Map<string, Rule[]>();
  tables.set(key, made);
  return made;
}

/** iptables-nft keeps its rules in tables by the names of old, in chains with names in capitals. */
function isOfIptables({ family, table, name }: Json): boolean {
  return family === 'ip' && /^(filter|mangle|security)$/.test(asString(table)) && name === 'FORWARD';
}

/** A rule with a map of verdicts is one rule for each of them. */
function readRule({ family, table, chain, handle, expr }: Json): Rule[] {
  const place = [family, table, chain].map(asString).join(' ');
  const text = `nft's rule ${asNumber(handle)} of chain ${place} (nft -a list chain ${place})`;
  const conditions: Rule['conditions'][number][] = [];
  for (const statement of asArray(expr).map(asObject)) {
    const [kind = '', value] = Object.entries(statement)[0] ?? [];
    const then = thenOf(kind, value);
    if (then) return [{ text, conditions, then }];
    if (kind === 'vmap')
      return verdictsOf(asObject(value)).map(({ key, then: end }) => ({
        text,
        conditions: [...conditions, nftCondition({ op: '==', left: asObject(value).key, right: key })],
        then: end,
      }));
    if (kind === 'match') conditions.push(nftCondition(asObject(value)));
    else if (!NEUTRAL.has(kind)) conditions.push(OPEN);
  }
  return [{ text, conditions, then: { kind: 'pass' } }];
}

function thenOf(kind: string, value: unknown): Then | undefined {
  switch (kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return { kind };
    case 'reject':
      return { kind: 'drop' };
    case 'jump':
    case 'goto':
      return { kind, chain: asString(asObject(value).target) };
    default:
      return undefined;
  }
}

/** Of a map that is written into the rule; one with a name may hold anything. */
function verdictsOf({ data }: Json): { readonly key: unknown; readonly then: Then }[] {
  return asArray(asObject(data).set).flatMap((pair) => {
    const [key, verdict] = asArray(pair);
    const [kind = '', value] = Object.entries(asObject(verdict))[0] ?? [];
    const then = thenOf(kind, value);
    return then ? [{ key, then }] : [];
  });
}
