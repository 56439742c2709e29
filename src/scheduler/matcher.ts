import { compileRegexp } from './regexp.ts';

/** What an expression's value accepts. */
export interface Matcher {
  /** Set when the value is plain text, so that a look-up can take the place of a search. */
  readonly literal: string | undefined;
  readonly test: (subject: string) => boolean;
}

/** Longer subjects match no pattern: labels are free text, and a search takes time in proportion. */
const MAX_SUBJECT_LENGTH = 4096;

function literal(text: string): Matcher {
  return { literal: text, test: (subject) => subject === text };
}

/** `*` stands for any text; every other character for itself. */
export function globMatcher(glob: string): Matcher {
  const parts = glob.split('*');
  const first = parts.shift() ?? '';
  const last = parts.pop();
  if (last === undefined) return literal(glob);
  return {
    literal: undefined,
    test(subject) {
      if (subject.length > MAX_SUBJECT_LENGTH || subject.length < first.length + last.length) return false;
      if (!subject.startsWith(first) || !subject.endsWith(last)) return false;
      // The leftmost place for each part leaves the most room for the rest.
      let at = first.length;
      for (const part of parts) {
        const found = subject.indexOf(part, at);
        if (found < 0) return false;
        at = found + part.length;
      }
      return at <= subject.length - last.length;
    },
  };
}

/** A value as an expression has it: `/regexp/`, a glob, or plain text. Throws PatternError for a wrong regexp. */
export function valueMatcher(value: string): Matcher {
  if (value.length < 2 || !value.startsWith('/') || !value.endsWith('/')) return globMatcher(value);
  const search = compileRegexp(value.slice(1, -1));
  return {
    literal: undefined,
    test: (subject) => subject.length <= MAX_SUBJECT_LENGTH && search(subject),
  };
}

/** `a|b|c`: any of these names, each of which may be a glob. */
export function listMatcher(value: string): Matcher {
  const matchers = value.split('|').map(globMatcher);
  const [only] = matchers;
  if (only && matchers.length === 1) return only;
  return { literal: undefined, test: (subject) => matchers.some((matcher) => matcher.test(subject)) };
}
