import { SwarmError } from '../../base/errors.ts';
import type { Deadlines } from './deadlines.ts';
import { changeTogether, deleteNode, makeParents, ownerOf } from './nodes.ts';
import { CODE, EPHEMERAL, OP, zkTrouble, type Change } from './protocol.ts';
import type { Session } from './session.ts';

/** Another process may register the same address again and again; who comes last wins. */
const TRIES = 5;

export interface Registration {
  session: Session;
  deadlines: Deadlines;
  /** Of the folder, with a leading slash. */
  folder: string;
  address: string;
  ttlMs: number;
  signal: AbortSignal;
}

/**
 * Makes the address an ephemeral node of our session. A node of an older session (this agent's before it was started
 * again, or the original's) is replaced in one step, so that nobody ever sees the engine missing.
 */
export async function registerNode(registration: Registration): Promise<void> {
  const { session, deadlines, folder, address, ttlMs, signal } = registration;
  if (address.includes('/'))
    throw new SwarmError('invalid', `zk:// can't hold "${address}": a node's name has no slash`);
  const path = `${folder}/${address}`;
  const create: Change = { op: OP.create, path, data: Buffer.from(address), flags: EPHEMERAL };
  const expire = (): void =>
    deadlines.set(path, ttlMs, async (inner) => {
      if ((await ownerOf(session, path, inner)) === session.id) await deleteNode(session, path, inner);
    });
  // Before anything else, so that the end of the last registration does not come between.
  expire();
  for (let tries = 1; ; tries++) {
    const owner = await ownerOf(session, path, signal);
    if (owner !== undefined && owner === session.id) break;
    const replace: Change[] = owner === undefined ? [create] : [{ op: OP.delete, path }, create];
    const code = await changeTogether(session, replace, signal);
    if (code === CODE.ok) break;
    const lostRace = code === CODE.noNode || code === CODE.nodeExists;
    if (!lostRace || tries === TRIES) throw zkTrouble(code, path);
    if (owner === undefined && code === CODE.noNode) await makeParents(session, path, signal);
  }
  expire();
}
