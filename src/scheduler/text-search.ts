import { compileRegexp } from './regexp.ts';

/** Far above what anybody types: a search takes time in proportion, at every thing in a list. */
const MAX_PATTERN_LENGTH = 512;

/**
 * A search for a regular expression anywhere in a text, as engines read the filters `name` and `id`. What can't be read
 * matches nothing.
 */
export function textSearch(pattern: string): (text: string) => boolean {
  const [, from, plain = '', to] = /^(\^?)([\w/-]*)(\$?)$/.exec(pattern) ?? [];
  if (from !== undefined) {
    // Nearly all are like this, and a real search over many containers would take its time.
    if (from && to) return (text) => text === plain;
    return (text) => (from ? text.startsWith(plain) : to ? text.endsWith(plain) : text.includes(plain));
  }
  try {
    if (pattern.length <= MAX_PATTERN_LENGTH) return compileRegexp(pattern);
  } catch {
    // Engines take it for a pattern that nothing matches.
  }
  return () => false;
}

/** Docker's match of several such filters against the several names of a thing. */
export function anySearch(patterns: readonly string[]): (subjects: readonly string[]) => boolean {
  const searches = patterns.map(textSearch);
  return (subjects) =>
    subjects.some((subject) => patterns.includes(subject) || searches.some((matches) => matches(subject)));
}
