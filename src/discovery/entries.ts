import { isIP, isIPv4 } from 'node:net';
import { SwarmError } from '../base/errors.ts';
import type { Entry } from './types.ts';

/** The port of an engine whose entry names none. */
const ENGINE_PORT = 2375;

/** More engines than one manager is meant for; keeps a mistyped range from eating the memory. */
export const MAX_ENTRIES = 65_536;

/** A piece of text that holds one entry, and how to name it in an error ("line 3"). */
export interface EntrySource {
  text: string;
  where: string;
}

/**
 * Expands ranges, completes ports, drops duplicates and keeps the order. Empty sources are skipped. Throws `invalid`
 * naming the entry that is wrong.
 */
export function readEntries(sources: Iterable<EntrySource>): Entry[] {
  const addresses = new Set<string>();
  for (const { text, where } of sources) {
    if (text === '') continue;
    for (const one of expandRange(text, where)) addresses.add(normalAddress(one, where));
    if (addresses.size > MAX_ENTRIES)
      throw new SwarmError('invalid', `${where}: more than ${MAX_ENTRIES} nodes in the discovery`);
  }
  return [...addresses].map((address) => ({ address }));
}

/** `10.0.0.[11:13]:2375` stands for three addresses; the range may also be a part of the port. */
function expandRange(text: string, where: string): string[] {
  const ranges = [...text.matchAll(/\[(\d+):(\d+)\]/g)];
  const range = ranges[0];
  if (range === undefined || text.startsWith('unix://')) return [text];
  if (ranges.length > 1) throw wrong(where, text, 'one range an entry');
  const from = Number(range[1]);
  const to = Number(range[2]);
  if (to < from) throw wrong(where, text, 'the range runs backwards');
  if (to - from >= MAX_ENTRIES) throw wrong(where, text, `a range holds at most ${MAX_ENTRIES} nodes`);
  const before = text.slice(0, range.index);
  const after = text.slice(range.index + range[0].length);
  return Array.from({ length: to - from + 1 }, (_, step) => `${before}${from + step}${after}`);
}

function normalAddress(text: string, where: string): string {
  if (text.startsWith('unix://')) {
    if (!/^unix:\/\/\/./.test(text)) throw wrong(where, text, 'a unix socket needs an absolute path');
    return text;
  }
  const rest = text.startsWith('tcp://') ? text.slice('tcp://'.length) : text;
  const match = /^(?:\[([^\]]*)\]|([A-Za-z0-9._-]+))(?::(\d{1,9}))?$/.exec(rest);
  if (!match) throw wrong(where, text, 'expected host:port');
  const [, v6, name] = match;
  if (v6 !== undefined && isIP(v6.split('%')[0] ?? '') !== 6) throw wrong(where, text, 'not an IPv6 address');
  if (name !== undefined && /^[\d.]+$/.test(name) && !isIPv4(name))
    throw wrong(where, text, 'not an IPv4 address');
  const port = match[3] === undefined ? ENGINE_PORT : Number(match[3]);
  if (port < 1 || port > 65535) throw wrong(where, text, 'the port must be between 1 and 65535');
  return `${v6 === undefined ? (name ?? '') : `[${v6}]`}:${port}`;
}

function wrong(where: string, text: string, why: string): SwarmError {
  // An entry can be a whole file by mistake; the message stays a line.
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new SwarmError('invalid', `${where}: invalid node ${JSON.stringify(shown)}: ${why}`);
}
