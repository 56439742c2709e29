import { Event_EventType as Type } from '../../../proto/generated/etcd/rpc_pb.js';
import type { RowWrite } from '../types.ts';
import type { Keys } from './keys.ts';
import { revisionOf, type Stored } from './revision-value.ts';
import { RowReader } from './row-values.ts';
import type { Group } from './watch.ts';

/** One commit as it is followed. */
export interface FollowedCommit {
  readonly stored: Stored;
  readonly writes: readonly RowWrite[];
}

/** The commit that a revision of etcd's is; undefined for what no commit is. Throws for what is damaged. */
export function commitOf(keys: Keys, { events }: Group): FollowedCommit | undefined {
  let stored: Stored | undefined;
  const writes: RowWrite[] = [];
  const reader = new RowReader(keys);
  for (const { type, kv } of events) {
    const at = kv && keys.read(kv.key);
    if (!at) continue;
    if (at.kind === 'layout') return undefined;
    if (at.kind === 'revision') stored = type === Type.PUT ? revisionOf(kv) : undefined;
    else if (type === Type.PUT) writes.push(...reader.read([kv]));
    else if (at.kind === 'row') writes.push({ table: at.table, id: at.id, json: null });
  }
  reader.end();
  return stored && { stored, writes };
}
