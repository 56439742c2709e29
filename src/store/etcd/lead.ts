import { Election } from '../../base/election.ts';
import { asObject, asString } from '../../base/json.ts';
import type { EtcdClient } from './client.ts';
import { keysOf } from './keys.ts';
import { LeaderLock, NOBODY, type Fence } from './leader-lock.ts';

/** One time of leading, from winning the lead to losing it. */
export interface Term extends Fence {
  /** Fires when it has ended, or might have: at the latest when the lease could pass to another. */
  readonly signal: AbortSignal;
  /** Whether it goes on, by the clock: also where this process was stopped and its timers are late. */
  leads(): boolean;
  /** Ends it: it was found to be over. */
  abandon(): void;
}

/** What others learn of the leader. */
export interface Leader {
  /** The node's. */
  readonly id: string;
  /** `host:port` of its manager. */
  readonly addr: string;
}

export interface LeadOptions {
  readonly prefix: string;
  readonly clusterId: string;
  readonly self: Leader;
  /** How long a leader that falls silent keeps the lead; in whole seconds. */
  readonly ttlMs?: number;
  /** Called with each new kind of trouble once, and with undefined when etcd answers again. */
  readonly onTrouble?: (message: string | undefined) => void;
}

/** A leader that was killed is followed within this, half a second of etcd's, and a moment. */
const TTL_MS = 3_000;
const STAND_BACK_MS = 10_000;

/**
 * One of the managers leads: who has the leader's key, for as long as its lease is renewed. It stops leading, by its own clock,
 * before the lease can pass to another, whether or not etcd answers.
 */
export class Lead {
  readonly #lock: LeaderLock;
  readonly #election: Election;
  readonly #self: Leader;
  readonly #listeners = new Set<() => void>();
  #term: RunningTerm | undefined;

  constructor(client: EtcdClient, options: LeadOptions) {
    const { prefix, clusterId, self, ttlMs = TTL_MS, onTrouble } = options;
    this.#self = self;
    this.#lock = new LeaderLock(client, keysOf(prefix, clusterId), {
      value: JSON.stringify(self),
      ttlMs,
      deadlineMs: ttlMs / 3,
    });
    this.#election = new Election({
      lock: this.#lock,
      ttlMs,
      clock: client.clock,
      random: client.random,
      ...(onTrouble ? { onTrouble } : {}),
    });
    this.#election.listen(() => this.#changed());
  }

  /** The term under way, where this process leads now. */
  get term(): Term | undefined {
    return this.#term?.leads() === true ? this.#term : undefined;
  }

  /** Who leads, as far as is known: this one included. */
  get leader(): Leader | undefined {
    if (this.term) return this.#self;
    const { holder } = this.#election;
    return holder === undefined || holder === NOBODY ? undefined : leaderOf(holder);
  }

  /** Ends the term; for some time the lead is any other manager's who takes it. */
  giveBack(): void {
    this.#lock.standBack(STAND_BACK_MS);
    this.#term?.abandon();
  }

  /** Called after every change of `term` and `leader`. Returns what ends it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes part until the signal fires; then gives the lead up, so that another one has it at once. */
  run(options: { readonly signal: AbortSignal }): Promise<void> {
    return this.#election.run(options);
  }

  #changed(): void {
    const leads = this.#election.leads();
    if (!leads) {
      this.#term?.end();
      this.#term = undefined;
    } else if (this.#term === undefined && this.#lock.fence) {
      this.#term = new RunningTerm(this.#lock.fence, this.#election, () => {
        this.#lock.giveUp();
        this.#tell();
      });
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

class RunningTerm implements Term {
  readonly createRevision: bigint;
  readonly lease: bigint;
  readonly #election: Election;
  readonly #onAbandoned: () => void;
  readonly #over = new AbortController();

  constructor({ createRevision, lease }: Fence, election: Election, onAbandoned: () => void) {
    this.createRevision = createRevision;
    this.lease = lease;
    this.#election = election;
    this.#onAbandoned = onAbandoned;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  leads(): boolean {
    return !this.#over.signal.aborted && this.#election.leads();
  }

  end(): void {
    this.#over.abort();
  }

  abandon(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#onAbandoned();
  }
}

/** What somebody wrote there; without sense, it is still somebody. */
function leaderOf(value: string): Leader {
  try {
    const { id, addr } = asObject(JSON.parse(value));
    return { id: asString(id), addr: asString(addr) };
  } catch {
    return { id: '', addr: '' };
  }
}
