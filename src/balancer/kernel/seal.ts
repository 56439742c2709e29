import { randomBytes } from 'node:crypto';

/**
 * A chain without use of its own that tells in one short listing whether a place's rules are still those that
 * were put there: whoever flushes or replaces the table takes it along.
 */
export interface Seal {
  /** Another with every transaction. */
  readonly tag: string;
  /** Kernel settings as they were before, by their path below /proc/sys: what is put back in the end. */
  readonly before: ReadonlyMap<string, string>;
}

export function newSeal(before: ReadonlyMap<string, string>): Seal {
  return { tag: randomBytes(8).toString('hex'), before };
}

/** nft's lines that set it. */
export function sealLines(table: string, { tag, before }: Seal): string[] {
  const comments = [`tag ${tag}`, ...[...before].map(([path, value]) => `was ${path} ${value}`)];
  return [
    `add chain ${table} seal`,
    `flush chain ${table} seal`,
    ...comments.map((text) => `add rule ${table} seal return comment "${text}"`),
  ];
}

/** Reads what nft lists of it; undefined where it has no tag. */
export function readSeal(listing: string): Seal | undefined {
  const comments = [...listing.matchAll(/comment "([^"]*)"/g)].map(([, text = '']) => text.split(' '));
  const tag = comments.find(([word]) => word === 'tag')?.[1];
  if (tag === undefined) return undefined;
  const before = new Map<string, string>();
  for (const [word, path, value] of comments)
    if (word === 'was' && path !== undefined && value !== undefined) before.set(path, value);
  return { tag, before };
}
