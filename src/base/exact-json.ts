/** A number as it was written, where a JavaScript number can't hold it; `JSON.stringify` writes it out the same. */
interface RawNumber {
  readonly rawJSON: string;
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

// The language has these (ECMAScript's "JSON.parse source text access"); the compiler's library does not know them yet.
const exact = JSON as unknown as {
  parse(text: string, reviver: Reviver): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
};

/** Only a text with a long row of digits can have a number that would lose some. */
const LONG_NUMBER = /\d{16}/;

/**
 * `JSON.parse`, but whole numbers beyond 2^53 keep every digit, for what is read and written again: a limit of
 * 9223372036854775807 rounded up is one that no engine can read. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text) as unknown;
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' &&
    source !== undefined &&
    /^-?\d{16,}$/.test(source) &&
    !Number.isSafeInteger(value)
      ? exact.rawJSON(source)
      : value,
  );
}

/** A whole number of any length, from its digits, for `JSON.stringify`. */
export function exactNumber(digits: string): unknown {
  return exact.rawJSON(digits);
}

/** The digits of a whole number, whichever way it was kept; undefined for anything else. */
export function digitsOf(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return String(Math.trunc(value));
  return exact.isRawJSON(value) ? value.rawJSON : undefined;
}
