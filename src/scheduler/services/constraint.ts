import { SwarmError } from '../../base/errors.ts';
import { ipRange } from './ip-range.ts';
import type { Node } from '../../model/index.ts';
import { isKey, type Operator, quoted, splitAtOperator } from '../expression.ts';
import { factReader } from './node-facts.ts';

/** A condition that a service puts on its nodes: `node.labels.zone == a`. */
export interface Constraint {
  readonly key: string;
  readonly operator: Operator;
  readonly value: string;
  readonly matches: (node: Node) => boolean;
}

const VALUE = /^[a-z0-9:\-_\t\n\f\r .*()?+[\]\\^$|/]+$/i;

/**
 * Reads one constraint of a service, by SwarmKit's rules. A key that does not exist, or an address that is none, is no
 * error: no node satisfies it. Throws SwarmError `invalid` in SwarmKit's words.
 */
export function parseConstraint(text: string): Constraint {
  const parts = splitAtOperator(text);
  if (!parts) throw new SwarmError('invalid', 'constraint expected one operator from ==, !=');
  const [key, operator, value] = [parts[0].trim(), parts[1], parts[2].trim()];
  if (!isKey(key)) throw new SwarmError('invalid', `key '${quoted(key)}' is invalid`);
  if (!VALUE.test(value)) throw new SwarmError('invalid', `value '${quoted(value)}' is invalid`);
  const test = testOf(key, value);
  if (!test) return { key, operator, value, matches: () => false };
  return { key, operator, value, matches: operator === '==' ? test : (node) => !test(node) };
}

function testOf(key: string, value: string): ((node: Node) => boolean) | undefined {
  if (key.toLowerCase() === 'node.ip') {
    const within = ipRange(value);
    return within && ((node) => within(node.status.addr));
  }
  const read = factReader(key);
  if (!read) return undefined;
  const lower = value.toLowerCase();
  return (node) => {
    const fact = read(node);
    return fact === value || (fact.length === value.length && fact.toLowerCase() === lower);
  };
}

/** Whether a node satisfies all of them. */
export function nodeMatches(constraints: readonly Constraint[], node: Node): boolean {
  return constraints.every((constraint) => constraint.matches(node));
}
