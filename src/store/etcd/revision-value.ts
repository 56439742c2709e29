import { randomBytes } from 'node:crypto';
import type { KeyValue } from '../../../proto/generated/etcd/rpc_pb.js';

/** The state's revision as etcd has it. */
export interface Stored {
  /** Of the last commit. */
  readonly revision: number;
  /** Of the write that made it so: known to whoever wrote. */
  readonly mark: string;
  /** etcd's revision of that write. */
  readonly writtenAt: bigint;
}

/** A mark that nobody else makes. */
export function newMark(): string {
  return randomBytes(9).toString('base64url');
}

export function revisionValue(revision: number, mark: string): Uint8Array {
  return Buffer.from(`${revision} ${mark}`);
}

/** Undefined where the key is not there. Throws for what is no revision. */
export function revisionOf(found: Pick<KeyValue, 'value' | 'modRevision'> | undefined): Stored | undefined {
  if (!found) return undefined;
  const [, revision, mark] = /^(\d{1,15}) ([\w-]+)$/.exec(Buffer.from(found.value).toString()) ?? [];
  if (revision === undefined || mark === undefined) throw new Error("the state's revision is damaged");
  return { revision: Number(revision), mark, writtenAt: found.modRevision };
}
