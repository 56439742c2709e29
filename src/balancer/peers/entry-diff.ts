import { asObject, type Json } from '../../base/json.ts';

/** What one listing has and the other has not. */
export interface EntryDiff {
  readonly removed: readonly Json[];
  readonly added: readonly Json[];
}

const NOTHING: EntryDiff = { removed: [], added: [] };
const END = '},';
/** How far ahead an entry is looked for that both have again. */
const WINDOW = 24;
/** With more, the whole is read as quickly. */
const MOST = 512;
const FIRST_STEP = 256;

/**
 * The entries that differ between two JSON arrays of flat objects, as `ip -j` and `bridge -j` print them: kernels list what
 * stays in the same order. Only those are parsed. Undefined where there are too many, or the texts make no sense.
 */
export function diffEntries(before: string, after: string): EntryDiff | undefined {
  if (before === after) return NOTHING;
  const [a, b] = [bodyOf(before), bodyOf(after)];
  if (a === undefined || b === undefined) return undefined;
  const removed: string[] = [];
  const added: string[] = [];
  let [i, j] = [0, 0];
  while (removed.length + added.length <= MOST) {
    const end = a.lastIndexOf(END, i + commonLength(a, i, b, j) - END.length);
    const same = end < i ? 0 : end + END.length - i;
    i += same;
    j += same;
    if (i === a.length && j === b.length) return parsed(removed, added);
    const [left, right] = [entriesAt(a, i), entriesAt(b, j)];
    const meeting = firstCommon(left, right) ?? endOf(a.length - i, left, b.length - j, right);
    if (!meeting) return undefined;
    const [gone, fresh] = [left.slice(0, meeting.left), right.slice(0, meeting.right)];
    removed.push(...gone);
    added.push(...fresh);
    i += lengthOf(gone);
    j += lengthOf(fresh);
  }
  return undefined;
}

/** The entries, each with the comma after it; '' for none. */
function bodyOf(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === '[]') return '';
  if (!trimmed.startsWith('[{') || !trimmed.endsWith('}]')) return undefined;
  return `${trimmed.slice(1, -1)},`;
}

/** How many characters are the same from there on. */
function commonLength(a: string, i: number, b: string, j: number): number {
  const most = Math.min(a.length - i, b.length - j);
  const isSame = (from: number, to: number): boolean =>
    a.slice(i + from, i + to) === b.slice(j + from, j + to);
  let known = 0;
  let step = FIRST_STEP;
  while (known < most && isSame(known, Math.min(most, known + step))) {
    known = Math.min(most, known + step);
    step *= 2;
  }
  for (let end = Math.min(most, known + step); known < end;) {
    const middle = Math.ceil((known + end) / 2);
    if (isSame(known, middle)) known = middle;
    else end = middle - 1;
  }
  return known;
}

/** The next few. */
function entriesAt(text: string, from: number): string[] {
  const entries: string[] = [];
  for (let at = from; at < text.length && entries.length < WINDOW;) {
    const end = text.indexOf(END, at);
    if (end < 0) break;
    entries.push(text.slice(at, end + END.length));
    at = end + END.length;
  }
  return entries;
}

interface Meeting {
  /** How many entries come before it on either side. */
  readonly left: number;
  readonly right: number;
}

/** Where both go on with the same entry, the nearest. */
function firstCommon(left: readonly string[], right: readonly string[]): Meeting | undefined {
  const places = new Map(left.map((entry, at) => [entry, at]));
  let best: Meeting | undefined;
  for (const [at, entry] of right.entries()) {
    const other = places.get(entry);
    if (other !== undefined && (!best || other + at < best.left + best.right))
      best = { left: other, right: at };
  }
  return best;
}

/** Where what is left of both is within reach, and nothing of it is common. */
function endOf(
  lengthLeft: number,
  left: readonly string[],
  lengthRight: number,
  right: readonly string[],
): Meeting | undefined {
  if (lengthOf(left) !== lengthLeft || lengthOf(right) !== lengthRight) return undefined;
  return { left: left.length, right: right.length };
}

function lengthOf(entries: readonly string[]): number {
  return entries.reduce((sum, { length }) => sum + length, 0);
}

function parsed(removed: readonly string[], added: readonly string[]): EntryDiff | undefined {
  try {
    const read = (entry: string): Json => asObject(JSON.parse(entry.slice(0, -1)));
    return { removed: removed.map(read), added: added.map(read) };
  } catch {
    return undefined;
  }
}
