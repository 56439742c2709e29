import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';

/** One entry of an archive. Paths are relative; parents come before what is in them. */
export type Entry = {
  readonly path: string;
  readonly mode: number;
  /** Owner and group; root where nothing is said. */
  readonly owner?: number;
} & (
  | { readonly kind: 'folder' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly from: string }
);

const BLOCK = 512;
const CHUNK = 1 << 20;
/** The date of every file: a layer changes only with what is in it. */
const DATE_S = 1_600_000_000;

/**
 * Writes a tar archive (POSIX ustar) in which the same entries always give the same bytes: in the order given, all of
 * one date, with owners by number. Gives the SHA-256 of the archive in hex.
 */
export function writeTar(target: string, entries: readonly Entry[]): string {
  const hash = createHash('sha256');
  const out = openSync(target, 'w');
  const put = (bytes: Buffer): void => {
    hash.update(bytes);
    for (let done = 0; done < bytes.length;) done += writeSync(out, bytes, done);
  };
  try {
    for (const entry of entries) {
      const size = sizeOf(entry);
      put(header(entry, size));
      if (entry.kind === 'bytes') put(entry.bytes);
      if (entry.kind === 'file') copy(entry.from, put);
      put(Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK));
    }
    put(Buffer.alloc(2 * BLOCK));
  } finally {
    closeSync(out);
  }
  return hash.digest('hex');
}

/** The bytes of an entry's contents. */
export function sizeOf(entry: Entry): number {
  if (entry.kind === 'folder') return 0;
  return entry.kind === 'bytes' ? entry.bytes.length : statSync(entry.from).size;
}

function copy(path: string, put: (bytes: Buffer) => void): void {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK);
    for (let got = readSync(file, chunk); got > 0; got = readSync(file, chunk)) put(chunk.subarray(0, got));
  } finally {
    closeSync(file);
  }
}

function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void =>
    void block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  const [prefix, name] = cutPath(entry.kind === 'folder' ? `${entry.path}/` : entry.path);
  block.write(name, 0, 'utf8');
  octal(entry.mode, 100, 8);
  octal(entry.owner ?? 0, 108, 8);
  octal(entry.owner ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(DATE_S, 136, 12);
  block.write(' '.repeat(8), 148, 'latin1');
  block.write(entry.kind === 'folder' ? '5' : '0', 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  block.write(prefix, 345, 'utf8');
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** Cuts a path at a slash, so that the end fits the field of 100 bytes and the beginning the one of 155. */
function cutPath(path: string): readonly [string, string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let cut = path.indexOf('/'); cut > 0; cut = path.indexOf('/', cut + 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)];
    if (name !== '' && Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155)
      return [prefix, name];
  }
  throw new Error(`too long for a tar archive: ${path}`);
}
