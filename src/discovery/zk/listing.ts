import { eachLimited, pause } from '../../base/async.ts';
import type { Listing } from '../held-list.ts';
import { childrenOf, dataOf, watchChildren } from './nodes.ts';
import type { Session } from './session.ts';

/** Many changes in a moment are one: every event costs a list of all names. */
const SETTLE_MS = 100;
const READS_AT_ONCE = 64;

/** What an agent's node is called: its address, which is its data as well. */
const ADDRESS = /^(?:\[[0-9A-Fa-f:.%\w]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

/** The registrations now; none where the folder is not there yet. */
export async function listNodes(session: Session, folder: string, signal: AbortSignal): Promise<Listing> {
  const children = await childrenOf(session, folder, signal);
  return { registrations: await registrationsOf(session, folder, children ?? [], signal) };
}

/** The registrations at once and at every change. Throws when the connection is lost. */
export async function* followNodes(
  session: Session,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<Listing> {
  let wasThere = false;
  while (!signal.aborted) {
    const { children, changed } = await watchChildren(session, folder, signal);
    const registrations = await registrationsOf(session, folder, children ?? [], signal);
    // Nodes that expire leave their folder behind; a folder that is gone was removed.
    yield { registrations, removed: wasThere && children === undefined };
    wasThere ||= children !== undefined;
    await changed;
    await pause(SETTLE_MS, signal);
  }
}

/** A name that is an address needs no look at its data, so that a list costs one question, however long it is. */
async function registrationsOf(
  session: Session,
  folder: string,
  children: readonly string[],
  signal: AbortSignal,
): Promise<Listing['registrations']> {
  const values = new Map(children.map((name) => [name, name]));
  const others = children.filter((name) => !ADDRESS.test(name));
  await eachLimited(others, READS_AT_ONCE, async (name) => {
    const data = await dataOf(session, `${folder}/${name}`, signal);
    if (data === undefined) values.delete(name);
    else if (data !== '') values.set(name, data);
  });
  return [...values].map(([name, value]) => ({ key: `${folder}/${name}`, value }));
}
