import { SwarmError } from '../base/errors.ts';
import { listMatcher, type Matcher, valueMatcher } from './matcher.ts';
import { PatternError } from './regexp-parse.ts';

export type ExpressionKind = 'constraint' | 'affinity' | 'whitelist';
export type Operator = '==' | '!=';

/** `key==value`, `key!=~value`: a condition that a user puts on the node. */
export interface Expression {
  readonly kind: ExpressionKind;
  readonly key: string;
  readonly operator: Operator;
  /** Dropped when no node satisfies it. */
  readonly soft: boolean;
  /** Without the mark of a soft one. */
  readonly value: string;
  readonly matcher: Matcher;
}

/** Bounds of what is taken from a user; far above what anybody types. */
const MAX_EXPRESSION_LENGTH = 2048;
const MAX_REGEXP_LENGTH = 512;
const MAX_EXPRESSIONS = 128;

const KEY = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE = /^[=!/]?~?[a-z0-9:\-_\t\n\f\r .*/()?+[\]\\^$|]+$/i;

/** A user's text as an error repeats it. */
export function quoted(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}

/** The text before and after the first `==`, or if there is none, the first `!=`. */
export function splitAtOperator(text: string): [key: string, operator: Operator, value: string] | undefined {
  const operator = (['==', '!='] as const).find((candidate) => text.includes(candidate));
  if (!operator) return undefined;
  const at = text.indexOf(operator);
  return [text.slice(0, at), operator, text.slice(at + operator.length)];
}

export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** Reads `key==value`; the kind is not part of the text. Throws SwarmError `invalid`. */
export function parseExpression(kind: ExpressionKind, text: string): Expression {
  const parts = splitAtOperator(text);
  if (!parts) throw new SwarmError('invalid', 'One of operator ==, != is expected');
  const [key, operator, marked] = parts;
  if (!isKey(key)) throw new SwarmError('invalid', `Key '${quoted(key)}' is invalid`);
  if (text.length > MAX_EXPRESSION_LENGTH || !VALUE.test(marked))
    throw new SwarmError('invalid', `Value '${quoted(marked)}' is invalid`);
  const soft = marked.startsWith('~');
  const value = soft ? marked.slice(1) : marked;
  return { kind, key, operator, soft, value, matcher: matcherFor(kind, value) };
}

function matcherFor(kind: ExpressionKind, value: string): Matcher {
  if (kind === 'whitelist') return listMatcher(value);
  try {
    if (value.startsWith('/') && value.length > MAX_REGEXP_LENGTH) throw new PatternError('is too long');
    return valueMatcher(value);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new SwarmError('invalid', `Value '${quoted(value)}' is invalid: the pattern ${error.message}`);
  }
}

/** Reads many of one kind. Throws SwarmError `invalid` for the first that is wrong, or when there are too many. */
export function parseExpressions(kind: ExpressionKind, texts: readonly string[]): Expression[] {
  if (texts.length > MAX_EXPRESSIONS) {
    throw new SwarmError('invalid', `More than ${MAX_EXPRESSIONS} expressions of the kind ${kind}`);
  }
  return texts.map((text) => parseExpression(kind, text));
}

/** The expression as it is shown to a user: without the mark of a soft one. */
export function expressionText({ key, operator, value }: Expression): string {
  return `${key}${operator}${value}`;
}

/** Whether the container is tied to named nodes; a soft tie is none. */
export function hasNodeConstraint(constraints: readonly Expression[]): boolean {
  return constraints.some(({ key, operator, soft }) => key === 'node' && operator === '==' && !soft);
}
