import { SwarmError } from '../base/errors.ts';

/** One character of a pattern that is no star. */
type Accept = (char: string) => boolean;

/**
 * Go's `path.Match`: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes, a backslash takes the next character
 * as it is. Throws `invalid` in Go's words. A test takes a time in proportion to both lengths.
 */
export function pathPattern(pattern: string): { test(text: string): boolean } {
  const pieces = readPieces(pattern);
  return { test: (text) => matches(pieces, text) };
}

/** What stands between the stars. */
function readPieces(pattern: string): Accept[][] {
  const pieces: Accept[][] = [[]];
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern[i] ?? '';
    const piece = pieces.at(-1);
    if (char === '*') {
      // Neighbours mean the same as one.
      if (pieces.length === 1 || piece?.length !== 0) pieces.push([]);
    } else if (char === '?') piece?.push(isNoSlash);
    else if (char === '[') {
      const set = readClass(pattern, i + 1);
      if (!set) throw bad();
      piece?.push(set.accept);
      i = set.end;
    } else {
      if (char === '\\') i += 1;
      const plain = pattern[i];
      if (plain === undefined) throw bad();
      piece?.push((other) => other === plain);
    }
  }
  return pieces;
}

/**
 * The first piece stands at the beginning and the last one at the end. For those between, the leftmost place leaves the
 * most room for the rest: a star takes no slash, so no later place can reach beyond one that an earlier one can't.
 */
function matches(pieces: readonly Accept[][], text: string): boolean {
  const [first = [], ...others] = pieces;
  if (!isAt(first, text, 0)) return false;
  let at = first.length;
  for (const [index, piece] of others.entries()) {
    const isLast = index === others.length - 1;
    while (!isAt(piece, text, at) || (isLast && at + piece.length !== text.length)) {
      if (at >= text.length || text[at] === '/') return false;
      at += 1;
    }
    at += piece.length;
  }
  return at === text.length;
}

function isAt(piece: readonly Accept[], text: string, at: number): boolean {
  return at + piece.length <= text.length && piece.every((accept, i) => accept(text[at + i] ?? ''));
}

function isNoSlash(char: string): boolean {
  return char !== '/';
}

function bad(): SwarmError {
  return new SwarmError('invalid', 'syntax error in pattern');
}

/** Reads a class behind its `[`; `end` is where its `]` stands. Undefined when it is not well formed. */
function readClass(pattern: string, from: number): { accept: Accept; end: number } | undefined {
  let i = from;
  const negated = pattern[i] === '^';
  if (negated) i += 1;
  const ranges: { low: string; high: string }[] = [];
  const next = (): string | undefined => {
    const char = pattern[i];
    if (char === undefined || char === '-' || char === ']') return undefined;
    i += char === '\\' ? 2 : 1;
    return char === '\\' ? pattern[i - 1] : char;
  };
  do {
    const low = next();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (pattern[i] === '-') {
      i += 1;
      high = next();
      if (high === undefined) return undefined;
    }
    ranges.push({ low, high });
    if (i >= pattern.length) return undefined;
  } while (pattern[i] !== ']');
  // An empty range is no error in Go; it just matches nothing.
  const accept = (char: string): boolean => ranges.some(({ low, high }) => char >= low && char <= high);
  return { accept: negated ? (char) => !accept(char) : accept, end: i };
}
