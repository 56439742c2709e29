import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Answer } from '../virtual-host/raw.ts';
import type { Seeded } from '../seeded.ts';

/** What a client knows of a container it asked for. */
export interface Wish {
  readonly name: string;
  /** Acknowledged: a manager said 201, with this id. */
  id?: string;
  /** A removal was asked for; whether it happened is only known when it was acknowledged. */
  removal?: 'asked' | 'acknowledged';
}

export interface ClientOptions {
  /** The managers, as `http://host:port`; any of them may be gone at the moment. */
  readonly managers: readonly string[];
  readonly random: Seeded;
  readonly signal: AbortSignal;
  readonly prefix: string;
}

const CALL_MS = 30_000;
const PAUSE_MS = 40;
const TRIES = 6;

/**
 * Creates containers with names of its own, one after another, and removes some of them again, each time through
 * whichever manager comes first. What fails is tried again under the same name at another one: that is what makes two
 * of one name, if anything does. Gives what it was told, when the signal has fired.
 */
export async function runClient({ managers, random, signal, prefix }: ClientOptions): Promise<Wish[]> {
  const wishes: Wish[] = [];
  for (let count = 1; !signal.aborted; count += 1) {
    const wish: Wish = { name: `${prefix}-${count}` };
    wishes.push(wish);
    await create(wish, managers, random, signal);
    const old = wishes.filter((one) => one.id !== undefined && one.removal === undefined);
    if (old.length > 3 && random.next() < 0.6) await remove(random.pick(old), managers, random);
    await sleep(PAUSE_MS);
  }
  return wishes;
}

async function create(
  wish: Wish,
  managers: readonly string[],
  random: Seeded,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt += 1) {
    const answer = await tryCall(random.pick(managers), 'POST', `/containers/create?name=${wish.name}`, {
      Image: 'busybox',
      Cmd: ['sleep', '1000'],
    });
    if (answer?.status === 201) {
      wish.id = answer.json<{ Id: string }>().Id;
      return;
    }
    // Somebody has the name: an attempt of ours whose answer was lost.
    if (answer?.status === 409) return;
    await sleep(PAUSE_MS * 5);
  }
}

async function remove(wish: Wish, managers: readonly string[], random: Seeded): Promise<void> {
  wish.removal = 'asked';
  const answer = await tryCall(random.pick(managers), 'DELETE', `/containers/${wish.id ?? ''}?force=1`);
  if (answer?.status === 204) wish.removal = 'acknowledged';
}

async function tryCall(
  manager: string,
  method: string,
  path: string,
  body?: object,
): Promise<Answer | undefined> {
  try {
    const signal = AbortSignal.timeout(CALL_MS);
    return await call(manager, method, path, body ? { body, signal } : { signal });
  } catch {
    // The manager is gone, or does not answer: the client does not know what became of it.
    return undefined;
  }
}
