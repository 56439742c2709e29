import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { pause } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { readEntries, type EntrySource } from './entries.ts';
import { notRegistrable } from './registration.ts';
import type { Discovery, DiscoveryEvent, Entry } from './types.ts';

/** Larger than any list of engines; a path like a device or a log file must not fill the memory. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** A file with one entry a line, read again at every heartbeat. `wait` is for tests. */
export function fileDiscovery(path: string, heartbeatMs: number, wait: Wait = pause): Discovery {
  async function* watch(signal: AbortSignal): AsyncGenerator<DiscoveryEvent> {
    let last: string | undefined;
    while (!signal.aborted) {
      const event = await look(path, signal);
      const now = JSON.stringify(event);
      if (signal.aborted) return;
      if (now !== last) yield event;
      last = now;
      await wait(heartbeatMs, signal);
    }
  }
  return {
    scheme: 'file',
    list: ({ signal }) => readNodeFile(path, signal),
    watch: ({ signal }) => watch(signal),
    register: notRegistrable,
  };
}

async function look(path: string, signal: AbortSignal): Promise<DiscoveryEvent> {
  try {
    return { kind: 'entries', entries: await readNodeFile(path, signal) };
  } catch (error) {
    return { kind: 'trouble', message: messageOf(error) };
  }
}

/** Rejects with `unavailable` where the file cannot be read, `invalid` naming the line that is wrong. */
async function readNodeFile(path: string, signal: AbortSignal): Promise<Entry[]> {
  const text = await readBounded(path, signal);
  return readEntries(
    text.split('\n').map((line, index): EntrySource => {
      const comment = line.indexOf('#');
      const entry = (comment === -1 ? line : line.slice(0, comment)).trim();
      return { text: entry, where: `${path}, line ${index + 1}` };
    }),
  );
}

async function readBounded(path: string, signal: AbortSignal): Promise<string> {
  try {
    signal.throwIfAborted();
    // A named pipe without a writer would hold a thread for ever without O_NONBLOCK.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error('not a regular file');
      if (stat.size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
      return await file.readFile({ encoding: 'utf8', signal });
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new SwarmError('unavailable', `failed to read '${path}': ${fileReason(error)}`, { cause: error });
  }
}
