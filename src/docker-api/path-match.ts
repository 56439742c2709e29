import { SwarmError } from '../base/errors.ts';

/**
 * Go's `path.Match` as a regular expression: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes, a backslash
 * takes the next character as it is. Throws `invalid` in Go's words.
 */
export function pathPattern(pattern: string): RegExp {
  const bad = (): SwarmError => new SwarmError('invalid', 'syntax error in pattern');
  let source = '';
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern[i] ?? '';
    if (char === '*') {
      // Neighbours mean the same as one, and would only make the search slow.
      if (pattern[i - 1] !== '*') source += '[^/]*';
    } else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const set = readClass(pattern, i + 1);
      if (!set) throw bad();
      source += set.source;
      i = set.end;
    } else if (char === '\\') {
      i += 1;
      if (i >= pattern.length) throw bad();
      source += literal(pattern[i] ?? '');
    } else source += literal(char);
  }
  return new RegExp(`^${source}$`, 's');
}

/** Reads a class behind its `[`; `end` is where its `]` stands. Undefined when it is not well formed. */
function readClass(pattern: string, from: number): { source: string; end: number } | undefined {
  let i = from;
  const negated = pattern[i] === '^';
  if (negated) i += 1;
  let ranges = '';
  const next = (): string | undefined => {
    const char = pattern[i];
    if (char === undefined || char === '-' || char === ']') return undefined;
    i += char === '\\' ? 2 : 1;
    return char === '\\' ? pattern[i - 1] : char;
  };
  do {
    const low = next();
    if (low === undefined) return undefined;
    let high = low;
    if (pattern[i] === '-') {
      i += 1;
      const end = next();
      if (end === undefined) return undefined;
      high = end;
    }
    // An empty range is no error in Go; it just matches nothing.
    if (low <= high) ranges += `${literal(low)}-${literal(high)}`;
    if (i >= pattern.length) return undefined;
  } while (pattern[i] !== ']');
  if (ranges === '') return { source: negated ? '[^]' : '[]', end: i };
  return { source: `[${negated ? '^' : ''}${ranges}]`, end: i };
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
