import { ask, type Reply } from './ask.ts';
import type { Outcome, Revision, Sight, Write } from './check/types.ts';
import { readList, type Raw } from './shapes.ts';

/** A manager that clients ask; which start of its process it is. */
export interface Asked {
  readonly socket: string;
  readonly life: number;
}

/** A write without what only its answer tells. */
export type Wish =
  | { readonly kind: 'create'; readonly table: 'service' | 'secret' }
  | {
      readonly kind: 'update';
      readonly table: 'service' | 'secret';
      readonly id: string;
      readonly base: number;
    }
  | { readonly kind: 'remove'; readonly table: 'service' | 'secret'; readonly id: string };

/** Asks managers, and notes what was asked and answered. */
export class Recorder {
  readonly writes: Write[] = [];
  readonly sights: Sight[] = [];
  readonly revisions: Revision[] = [];
  /** What was not answered as it should be, and how often: for whoever looks into a failure. */
  readonly words = new Map<string, number>();
  readonly #managers: readonly Asked[];
  #marks = 0;

  constructor(managers: readonly Asked[]) {
    this.#managers = managers;
  }

  /** A new mark. */
  mark(): string {
    this.#marks += 1;
    return `op-${this.#marks}`;
  }

  async write(
    manager: number,
    wish: Wish & { readonly mark: string },
    method: string,
    path: string,
    body?: unknown,
  ): Promise<void> {
    const { reply, ...when } = await this.#ask(manager, method, path, body);
    const outcome = outcomeOf(reply);
    if (outcome !== 'acknowledged') this.#note(wish.kind, outcome, reply);
    const id = 'id' in wish ? wish.id : outcome === 'acknowledged' ? createdId(reply) : '';
    const isError = reply.kind === 'answer' && outcome !== 'acknowledged';
    const said = isError ? { said: messageIn(reply) } : {};
    this.writes.push({ ...wish, ...when, manager, outcome, id, ...said });
  }

  /** A manager's whole list as it came; undefined where it gave none. */
  async list(manager: number, table: Sight['table']): Promise<readonly Raw[] | undefined> {
    const { life } = this.#at(manager);
    const { reply, ...when } = await this.#ask(manager, 'GET', `/v1.41/${table}s`);
    if (reply.kind !== 'answer' || reply.status !== 200) return undefined;
    const raw = reply.value as readonly Raw[];
    const { isStale } = reply;
    const sight = { table, ...when, manager, life, isStale, objects: readList(table, raw) };
    if (this.#at(manager).life === life) this.sights.push(sight);
    return raw;
  }

  async #ask(
    manager: number,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ reply: Reply; beganMs: number; endedMs: number }> {
    const { socket, life } = this.#at(manager);
    const beganMs = performance.now();
    const reply = await ask(socket, method, path, body);
    const endedMs = performance.now();
    if (reply.kind === 'answer' && reply.revision !== undefined && this.#at(manager).life === life)
      this.revisions.push({ beganMs, endedMs, manager, life, revision: reply.revision });
    return { reply, beganMs, endedMs };
  }

  #note(kind: string, outcome: Outcome, reply: Reply): void {
    const said =
      reply.kind === 'answer'
        ? `${reply.status} ${messageIn(reply)}`
        : `${reply.kind === 'broken' ? reply.reason : 'nobody listens'}`;
    const key = `${kind} ${outcome}: ${said.replaceAll(/\b[a-z0-9]{25}\b/g, 'ID')}`;
    this.words.set(key, (this.words.get(key) ?? 0) + 1);
  }

  #at(manager: number): Asked {
    const found = this.#managers[manager];
    if (!found) throw new Error(`no manager ${manager}`);
    return found;
  }
}

/** Errors of the server's that say that nothing was done. */
const NOT_DONE = /update out of sequence|does not have a leader/;

function outcomeOf(reply: Reply): Outcome {
  if (reply.kind === 'unsent') return 'refused';
  if (reply.kind === 'broken') return 'unknown';
  if (reply.status < 300) return 'acknowledged';
  if (reply.status < 500 || reply.status === 501) return 'refused';
  return NOT_DONE.test(messageIn(reply)) ? 'refused' : 'unknown';
}

function messageIn({ value }: { readonly value: unknown }): string {
  const { message } = (typeof value === 'object' ? (value ?? {}) : {}) as { readonly message?: string };
  return message ?? (typeof value === 'string' ? value : '');
}

function createdId(reply: Reply): string {
  return reply.kind === 'answer' ? ((reply.value as { readonly ID?: string }).ID ?? '') : '';
}
