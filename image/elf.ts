/** Offsets in the header of a 64-bit ELF file. */
const PHOFF = 32;
const SHOFF = 40;
const PHENTSIZE = 54;
const PHNUM = 56;
const SHNUM = 60;
const SHSTRNDX = 62;

/**
 * A program without what only debuggers read: everything behind its last segment (symbols, debug information, the
 * table of sections). Kernel and loader go by segments alone. Throws where this is not a 64-bit little-endian ELF file.
 */
export function withoutSymbols(program: Buffer): Buffer {
  const magic = program.subarray(0, 6).toString('latin1');
  if (magic !== '\x7fELF\x02\x01') throw new Error('not a 64-bit little-endian ELF file');
  const table = Number(program.readBigUInt64LE(PHOFF));
  const entryBytes = program.readUInt16LE(PHENTSIZE);
  const count = program.readUInt16LE(PHNUM);
  let end = table + count * entryBytes;
  for (let at = table; at < table + count * entryBytes; at += entryBytes) {
    const [offset, bytes] = [program.readBigUInt64LE(at + 8), program.readBigUInt64LE(at + 32)];
    end = Math.max(end, Number(offset + bytes));
  }
  const bare = Buffer.from(program.subarray(0, end));
  bare.writeBigUInt64LE(0n, SHOFF);
  bare.writeUInt16LE(0, SHNUM);
  bare.writeUInt16LE(0, SHSTRNDX);
  return bare;
}
