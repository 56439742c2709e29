import {
  CODE,
  OP,
  readMulti,
  readOwner,
  writeChange,
  writeMulti,
  zkTrouble,
  type Change,
} from './protocol.ts';
import type { Session } from './session.ts';

// What is asked of the tree of nodes. All reject with `unavailable`; that a node is or is not there is a value.

/** The children's names; undefined where there is no such node. */
export async function childrenOf(
  session: Session,
  path: string,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const answer = await session.request(OP.getChildren, (record) => record.text(path).bool(UNWATCHED), signal);
  return found(answer.code, path) ? answer.body.texts() : undefined;
}

/** The same, and when it may have changed. */
export async function watchChildren(
  session: Session,
  path: string,
  signal: AbortSignal,
): Promise<{ children: string[] | undefined; changed: Promise<void> }> {
  for (;;) {
    const ask = (op: number): ReturnType<Session['watch']> =>
      session.watch(op, path, (record) => record.text(path).bool(WATCHED), signal);
    const list = await ask(OP.getChildren);
    if (found(list.answer.code, path)) return { children: list.answer.body.texts(), changed: list.changed };
    // Only the question whether it exists leaves a watch at a node that does not.
    const missing = await ask(OP.exists);
    if (!found(missing.answer.code, path)) return { children: undefined, changed: missing.changed };
  }
}

/** A node's data; undefined where there is no such node. */
export async function dataOf(
  session: Session,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await session.request(OP.getData, (record) => record.text(path).bool(UNWATCHED), signal);
  return found(answer.code, path) ? answer.body.bytes().toString('utf8') : undefined;
}

/** The same, and when it may have changed. */
export async function watchData(
  session: Session,
  path: string,
  signal: AbortSignal,
): Promise<{ data: string | undefined; changed: Promise<void> }> {
  const { answer, changed } = await session.watch(
    OP.getData,
    path,
    (record) => record.text(path).bool(WATCHED),
    signal,
  );
  return { data: found(answer.code, path) ? answer.body.bytes().toString('utf8') : undefined, changed };
}

/** The session that a node belongs to, 0 for none; undefined where there is no such node. */
export async function ownerOf(
  session: Session,
  path: string,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  const answer = await session.request(OP.exists, (record) => record.text(path).bool(UNWATCHED), signal);
  return found(answer.code, path) ? readOwner(answer.body) : undefined;
}

/** Makes a node; its parents too, where they are missing. Gives its path (of a sequential one, with its number). */
export async function createNode(
  session: Session,
  change: Change & { op: typeof OP.create },
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let tries = 0; ; tries++) {
    const answer = await session.request(OP.create, (record) => writeChange(record, change), signal);
    if (answer.code === CODE.ok) return answer.body.text();
    if (answer.code === CODE.nodeExists) return undefined;
    if (answer.code !== CODE.noNode || tries === PARENT_TRIES) throw zkTrouble(answer.code, change.path);
    await makeParents(session, change.path, signal);
  }
}

/** Makes what is above a path, as nodes that stay. */
export async function makeParents(session: Session, path: string, signal: AbortSignal): Promise<void> {
  const names = path.split('/').slice(1, -1);
  for (const [index] of names.entries()) {
    const parent = `/${names.slice(0, index + 1).join('/')}`;
    const change = { op: OP.create, path: parent, data: Buffer.alloc(0) } as const;
    const { code } = await session.request(OP.create, (record) => writeChange(record, change), signal);
    if (code !== CODE.ok && code !== CODE.nodeExists) throw zkTrouble(code, parent);
  }
}

/** Deletes a node; that it is gone, or has children, is fine. */
export async function deleteNode(session: Session, path: string, signal: AbortSignal): Promise<void> {
  const change = { op: OP.delete, path } as const;
  const { code } = await session.request(OP.delete, (record) => writeChange(record, change), signal);
  if (code !== CODE.ok && code !== CODE.noNode && code !== CODE.notEmpty) throw zkTrouble(code, path);
}

/**
 * Makes several changes or none; gives ok, or the code of the one that can't be made. It always goes through the quorum,
 * so it also proves that the session lives.
 */
export async function changeTogether(
  session: Session,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<number> {
  const answer = await session.request(OP.multi, (record) => writeMulti(record, changes), signal);
  return answer.code === CODE.ok ? readMulti(answer.body) : answer.code;
}

const [WATCHED, UNWATCHED] = [true, false];
/** Somebody may delete parents while we make them; who does that again and again wins. */
const PARENT_TRIES = 5;

function found(code: number, path: string): boolean {
  if (code !== CODE.ok && code !== CODE.noNode) throw zkTrouble(code, path);
  return code === CODE.ok;
}
