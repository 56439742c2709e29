import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Writes, and waits while the client does not read; false when it is gone. */
export async function writeAll(res: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || res.destroyed) return false;
  if (res.write(bytes)) return true;
  try {
    await once(res, 'drain', { signal });
    return true;
  } catch {
    return false;
  }
}
