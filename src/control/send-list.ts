import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ApiCall } from '../docker-api/index.ts';
import { writeAll } from './write-all.ts';

/** How many are written at once: a few milliseconds' work, so that agents' heartbeats never wait for a long list. */
const AT_ONCE = 500;

/** Answers with a list. A long one is written piece by piece; `items` must not change meanwhile. */
export async function sendList<T>(
  call: ApiCall,
  items: readonly T[],
  shown: (item: T) => unknown,
): Promise<void> {
  if (items.length <= AT_ONCE) {
    call.json(200, items.map(shown));
    return;
  }
  const { res, signal } = call;
  res.writeHead(200, { 'content-type': 'application/json' });
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const piece = items.slice(from, from + AT_ONCE).map((item) => JSON.stringify(shown(item)));
    const text = `${from === 0 ? '[' : ','}${piece.join(',')}`;
    if (!(await writeAll(res, Buffer.from(text), signal))) return;
    await nextTurn();
  }
  res.end(']');
}
