/** A set of characters: one flag for each ASCII character, one for all others. */
export interface CharacterSet {
  readonly ascii: Uint8Array;
  readonly others: boolean;
}

export type Assertion = 'text-start' | 'text-end' | 'line-start' | 'line-end' | 'word-edge' | 'not-word-edge';

export type Syntax =
  | { readonly type: 'set'; readonly set: CharacterSet }
  | { readonly type: 'assert'; readonly assertion: Assertion }
  | { readonly type: 'sequence'; readonly items: readonly Syntax[] }
  | { readonly type: 'choice'; readonly items: readonly Syntax[] }
  | { readonly type: 'repeat'; readonly item: Syntax; readonly min: 0 | 1; readonly many: boolean };

/** Why a pattern can't be read; the message completes "the pattern …". */
export class PatternError extends Error {}

export type Accept = (code: number) => boolean;

const between = (from: string, to: string): Accept => {
  const [low, high] = [from.charCodeAt(0), to.charCodeAt(0)];
  return (code) => code >= low && code <= high;
};
const oneOf = (text: string): Accept => {
  const codes = new Set([...text].map((character) => character.charCodeAt(0)));
  return (code) => codes.has(code);
};
const any =
  (...parts: readonly Accept[]): Accept =>
  (code) =>
    parts.some((part) => part(code));
const not =
  (part: Accept): Accept =>
  (code) =>
    !part(code);

const digit = between('0', '9');
const lower = between('a', 'z');
const upper = between('A', 'Z');
const letter = any(lower, upper);
/** What \w stands for. */
export const isWord: Accept = any(letter, digit, oneOf('_'));
const space = oneOf('\t\n\f\r ');

const CLASS_ESCAPES = new Map<string, Accept>([
  ['d', digit],
  ['D', not(digit)],
  ['w', isWord],
  ['W', not(isWord)],
  ['s', space],
  ['S', not(space)],
]);
const CONTROL_ESCAPES = new Map([
  ['a', 7],
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
]);
const NAMED_CLASSES = new Map<string, Accept>([
  ['alnum', any(letter, digit)],
  ['alpha', letter],
  ['blank', oneOf('\t ')],
  ['digit', digit],
  ['lower', lower],
  ['punct', any(between('!', '/'), between(':', '@'), between('[', '`'), between('{', '~'))],
  ['space', any(space, oneOf('\v'))],
  ['upper', upper],
  ['word', isWord],
  ['xdigit', any(digit, between('a', 'f'), between('A', 'F'))],
]);
const ASSERTION_ESCAPES = new Map<string, Assertion>([
  ['A', 'text-start'],
  ['z', 'text-end'],
  ['b', 'word-edge'],
  ['B', 'not-word-edge'],
]);

function toSet(accept: Accept, ignoreCase: boolean): CharacterSet {
  const ascii = new Uint8Array(128);
  for (let code = 0; code < 128; code++) {
    const other = letter(code) ? code ^ 32 : code;
    if (accept(code) || (ignoreCase && accept(other))) ascii[code] = 1;
  }
  return { ascii, others: accept(0xfffd) };
}

/** What a set leaves out; a case-blind set is folded before it is turned round, not after. */
function inverted(set: CharacterSet): CharacterSet {
  return { ascii: set.ascii.map((flag) => 1 - flag), others: !set.others };
}

interface Flags {
  ignoreCase: boolean;
  dotAll: boolean;
  lines: boolean;
}

/** As in Go; what counts of counts come to is bounded by whoever makes a program of it. */
const MAX_COUNT = 1000;
const COUNT = /\{(\d{1,4})(?:(,)(\d{0,4}))?\}/y;

/**
 * Reads the part of Go's regular expressions that filters and expressions need: literals, classes, groups,
 * alternatives, `*` `+` `?` and counts, anchors, and the flags i, m, s, U. (The value of an expression can't spell
 * counts: it has no braces.)
 * Throws {@link PatternError}.
 */
export function parsePattern(source: string): Syntax {
  return new Parser(source).parse();
}

class Parser {
  readonly #source: string;
  #at = 0;
  #flags: Flags = { ignoreCase: false, dotAll: false, lines: false };

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Syntax {
    const syntax = this.#choice();
    if (this.#at < this.#source.length) throw new PatternError("has a ')' too many");
    return syntax;
  }

  #peek(): string {
    return this.#source.charAt(this.#at);
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #next(inside: string): string {
    const character = this.#source.charAt(this.#at++);
    if (character === '') throw new PatternError(`ends inside ${inside}`);
    return character;
  }

  #choice(): Syntax {
    const items = [this.#sequence()];
    while (this.#eat('|')) items.push(this.#sequence());
    return items.length === 1 && items[0] ? items[0] : { type: 'choice', items };
  }

  #sequence(): Syntax {
    const items: Syntax[] = [];
    while (this.#peek() !== '' && this.#peek() !== '|' && this.#peek() !== ')') {
      const atom = this.#atom();
      if (atom) items.push(this.#repeated(atom));
    }
    return { type: 'sequence', items };
  }

  #repeated(item: Syntax): Syntax {
    const operator = this.#peek();
    if (operator === '{') return this.#counted(item);
    if (operator === '' || !'*+?'.includes(operator)) return item;
    this.#at++;
    this.#eat('?'); // lazy: the same answer
    if (this.#peek() !== '' && '*+?'.includes(this.#peek())) throw new PatternError('repeats a repetition');
    return { type: 'repeat', item, min: operator === '+' ? 1 : 0, many: operator !== '?' };
  }

  /** `x{2,4}` is xxx?x?; braces that are no count are plain characters, as in Go. */
  #counted(item: Syntax): Syntax {
    COUNT.lastIndex = this.#at;
    const count = COUNT.exec(this.#source);
    if (!count) return item;
    const min = Number(count[1]);
    const max = count[2] === undefined ? min : count[3] === '' ? Infinity : Number(count[3]);
    if (max < min || min > MAX_COUNT || (max > MAX_COUNT && max !== Infinity))
      throw new PatternError(`has a wrong count: ${count[0]}`);
    this.#at = COUNT.lastIndex;
    this.#eat('?');
    if (this.#peek() !== '' && '*+?'.includes(this.#peek())) throw new PatternError('repeats a repetition');
    const items = Array<Syntax>(min).fill(item);
    if (max === Infinity) items.push({ type: 'repeat', item, min: 0, many: true });
    else items.push(...Array<Syntax>(max - min).fill({ type: 'repeat', item, min: 0, many: false }));
    return { type: 'sequence', items };
  }

  #set(accept: Accept): Syntax {
    return { type: 'set', set: toSet(accept, this.#flags.ignoreCase) };
  }

  /** One thing that can be repeated; undefined for what only sets flags. */
  #atom(): Syntax | undefined {
    const character = this.#next('the pattern');
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '.':
        return this.#set(this.#flags.dotAll ? () => true : (code) => code !== 10);
      case '^':
        return { type: 'assert', assertion: this.#flags.lines ? 'line-start' : 'text-start' };
      case '$':
        return { type: 'assert', assertion: this.#flags.lines ? 'line-end' : 'text-end' };
      case '*':
      case '+':
      case '?':
        throw new PatternError('repeats nothing');
      default:
        return this.#set(oneOf(character));
    }
  }

  #group(): Syntax | undefined {
    const outer = this.#flags;
    this.#flags = { ...outer };
    if (this.#eat('?')) {
      let on = true;
      for (let flag = this.#next('a group'); flag !== ':'; flag = this.#next('a group')) {
        if (flag === ')') return undefined; // holds until the end of the group around it
        if (flag === '-' && on) on = false;
        else if (flag === 'i') this.#flags.ignoreCase = on;
        else if (flag === 's') this.#flags.dotAll = on;
        else if (flag === 'm') this.#flags.lines = on;
        else if (flag !== 'U') throw new PatternError(`has a kind of group that is not known: (?${flag}`);
      }
    }
    const inner = this.#choice();
    if (!this.#eat(')')) throw new PatternError("lacks a ')'");
    this.#flags = outer;
    return inner;
  }

  #escape(): Syntax {
    const character = this.#next('an escape');
    const assertion = ASSERTION_ESCAPES.get(character);
    if (assertion) return { type: 'assert', assertion };
    const accept = CLASS_ESCAPES.get(character);
    if (accept) return this.#set(accept);
    const code = this.#escapedCode(character);
    return this.#set((other) => other === code);
  }

  #escapedCode(character: string): number {
    const control = CONTROL_ESCAPES.get(character);
    if (control !== undefined) return control;
    if (character === 'x') {
      const digits = this.#next('an escape') + this.#next('an escape');
      if (!/^[0-7][0-9a-f]$/i.test(digits)) throw new PatternError(`has a wrong escape: \\x${digits}`);
      return parseInt(digits, 16);
    }
    if (/[a-z0-9]/i.test(character))
      throw new PatternError(`has an escape that is not known: \\${character}`);
    return character.charCodeAt(0);
  }

  #class(): Syntax {
    const negated = this.#eat('^');
    const parts: Accept[] = [];
    // A ']' right at the start is an ordinary character.
    for (let first = true; first || this.#peek() !== ']'; first = false) parts.push(this.#classPart());
    this.#at++;
    const set = toSet(any(...parts), this.#flags.ignoreCase);
    return { type: 'set', set: negated ? inverted(set) : set };
  }

  #classPart(): Accept {
    if (this.#eat('[:')) {
      const end = this.#source.indexOf(':]', this.#at);
      const name = end < 0 ? '' : this.#source.slice(this.#at, end);
      const named = NAMED_CLASSES.get(name.replace(/^\^/, ''));
      if (!named) throw new PatternError(`has a class that is not known: [:${name}`);
      this.#at = end + 2;
      return name.startsWith('^') ? not(named) : named;
    }
    const from = this.#next('a class');
    if (from === '\\') {
      const accept = CLASS_ESCAPES.get(this.#peek());
      if (accept) {
        this.#at++;
        return accept;
      }
    }
    const low = from === '\\' ? this.#escapedCode(this.#next('an escape')) : from.charCodeAt(0);
    let high = low;
    if (this.#peek() === '-' && this.#source.charAt(this.#at + 1) !== ']') {
      this.#at++;
      const to = this.#next('a class');
      high = to === '\\' ? this.#escapedCode(this.#next('an escape')) : to.charCodeAt(0);
      if (high < low) throw new PatternError('has a range that runs backwards');
    }
    return (code) => code >= low && code <= high;
  }
}
