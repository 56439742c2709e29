import { SwarmError } from '../../base/errors.ts';
import { JuteReader, JuteWriter } from './jute.ts';

// Numbers and layouts are those of zookeeper.jute and ZooDefs.OpCode of Apache ZooKeeper 3.4 to 3.9.

export const OP = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  ping: 11,
  check: 13,
  multi: 14,
  closeSession: -11,
} as const;

/** The numbers of what is no request and no answer to one. */
export const XID = { watchEvent: -1, ping: -2 } as const;

/** The answers that decide something; all others are trouble. */
export const CODE = { ok: 0, noNode: -101, nodeExists: -110, notEmpty: -111 } as const;

const TROUBLE: Readonly<Record<number, string>> = {
  [-2]: 'runtime inconsistency',
  [-4]: 'connection loss',
  [-5]: 'marshalling error',
  [-6]: 'not implemented by this server',
  [-7]: 'operation timeout',
  [-8]: 'bad arguments (is the path one?)',
  [-101]: 'no such node',
  [-102]: 'not authorized: the node has an ACL',
  [-108]: 'an ephemeral node has no children',
  [-110]: 'the node exists',
  [-111]: 'the node has children',
  [-112]: 'the session expired',
  [-114]: 'invalid ACL',
  [-115]: 'authentication failed',
  [-118]: 'the session moved to another server',
  [-119]: 'the server is read-only: it has lost its quorum',
  [-124]: 'the session was closed because it lacks SASL',
  [-125]: 'over quota',
};

/** A code that decides nothing, as an error. */
export function zkTrouble(code: number, path: string): SwarmError {
  return new SwarmError('unavailable', `ZooKeeper: ${path}: ${TROUBLE[code] ?? `error ${code}`}`);
}

/** What keeps a session across connections; an id of 0 asks for a new one. */
export interface SessionTicket {
  id: bigint;
  password: Buffer;
}

export const NO_SESSION: SessionTicket = { id: 0n, password: Buffer.alloc(16) };

/**
 * The first frame of a connection. The last change seen is always given as none: a server whose data was lost turns away
 * whoever has seen more than it has, for ever, and nothing here relies on a view that never goes back.
 */
export function connectFrame(ticket: SessionTicket, timeoutMs: number): Buffer {
  const [protocolVersion, lastZxidSeen, readOnlyWillDo] = [0, 0n, false];
  return new JuteWriter()
    .int(protocolVersion)
    .long(lastZxidSeen)
    .int(timeoutMs)
    .long(ticket.id)
    .bytes(ticket.password)
    .bool(readOnlyWillDo)
    .frame();
}

/** The answer to it; undefined where the session that was asked for has expired. */
export function readConnectAnswer(frame: Buffer): { ticket: SessionTicket; grantedMs: number } | undefined {
  const reader = new JuteReader(frame).skip(4);
  const grantedMs = reader.int();
  const id = reader.long();
  const password = Buffer.from(reader.bytes());
  return grantedMs > 0 ? { ticket: { id, password }, grantedMs } : undefined;
}

/** One change; several can be made as one, or not at all. */
export type Change =
  | { op: typeof OP.create; path: string; data: Buffer; flags?: number }
  | { op: typeof OP.delete; path: string }
  | { op: typeof OP.setData; path: string; data: Buffer }
  /** Holds only if the node exists. */
  | { op: typeof OP.check; path: string };

export const EPHEMERAL = 1;
export const EPHEMERAL_SEQUENTIAL = 3;
const ANY_VERSION = -1;
const ALL_PERMISSIONS = 31;

export function writeChange(writer: JuteWriter, change: Change): JuteWriter {
  writer.text(change.path);
  switch (change.op) {
    case OP.create:
      return writer
        .bytes(change.data)
        .int(1) // one entry of the ACL: everything for anyone, as the original's library makes its nodes
        .int(ALL_PERMISSIONS)
        .text('world')
        .text('anyone')
        .int(change.flags ?? 0);
    case OP.delete:
    case OP.check:
      return writer.int(ANY_VERSION);
    case OP.setData:
      return writer.bytes(change.data).int(ANY_VERSION);
  }
}

/** Several changes in one. */
export function writeMulti(writer: JuteWriter, changes: readonly Change[]): JuteWriter {
  for (const change of changes) writeChange(writer.int(change.op).bool(false).int(-1), change);
  return writer.int(-1).bool(true).int(-1);
}

/** Why none of several changes was made: the code of the first that failed, or ok. */
export function readMulti(reader: JuteReader): number {
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) return CODE.ok;
    // Those before the failing one have 0 here, those after it "runtime inconsistency".
    const code = type === -1 ? reader.int() : 0;
    if (code !== 0) return code;
    if (type === OP.create) reader.text();
    if (type === OP.setData) reader.skip(STAT_BYTES);
  }
}

const STAT_BYTES = 68;
const BEFORE_OWNER_BYTES = 44;

/** The session that an ephemeral node belongs to; 0 for one that stays. */
export function readOwner(reader: JuteReader): bigint {
  return reader.skip(BEFORE_OWNER_BYTES).long();
}
