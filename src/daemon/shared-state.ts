import type { Times } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { childLog, type Logger } from '../base/log.ts';
import { VERSION } from '../base/version.ts';
import {
  Lead,
  openEtcdStore,
  Presence,
  type EtcdClient,
  type EtcdStore,
  type Keyring,
  type Layouts,
  type Leader,
  type Present,
  type LeadTerm,
  type LeadView,
  type Term,
} from '../store/index.ts';
import { raiseLayout } from './raise-layout.ts';
import type { HostState } from './states.ts';

/** What every state in an etcd needs. */
export interface SharedWorld {
  readonly keyring: Keyring;
  /** The layouts of the state that this swarmd reads. */
  readonly layouts: Layouts;
  /** Asks the manager that leads for the unlock key, where another one has locked the state meanwhile. */
  readonly askUnlockKey: (signal: AbortSignal) => Promise<Uint8Array>;
  readonly times: Times;
  readonly log: Logger;
}

export interface SharedParts extends SharedWorld {
  /** Closed with the state. */
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly clusterId: string;
  readonly keeping: HostState['keeping'];
  readonly backupTo: HostState['backupTo'];
  /** What to do where the store is lost, in words, of a store that takes a majority of the managers. */
  readonly wayOut?: string;
  /** Has the store keep nothing of what was overwritten; by whoever leads. */
  readonly scrub?: (signal: AbortSignal) => Promise<void>;
  /** What goes on as long as the state is open. */
  readonly beside?: (signal: AbortSignal) => Promise<unknown>;
}

/** What is read may be as old as this before users are told. */
const STALE_MS = 5_000;

/** Opens a state that several managers share. Rejects, with the client closed, as openEtcdStore does. */
export async function openSharedState(parts: SharedParts): Promise<HostState> {
  const { client, prefix, clusterId, keyring, layouts, askUnlockKey, scrub, times, log } = parts;
  try {
    const store = await openEtcdStore(client, {
      prefix,
      clusterId,
      keyring,
      layouts,
      askUnlockKey,
      ...(scrub ? { scrub } : {}),
      onStill: (reason) => log.error({ err: reason }, 'The state of the swarm can not be followed'),
      nowMs: () => times.wallMs(),
      onFault: (error) => log.error({ err: messageOf(error) }, 'A reader of the state failed'),
    });
    return new SharedState(store, parts);
  } catch (error) {
    client.close();
    throw error;
  }
}

class SharedState implements HostState {
  readonly store: EtcdStore;
  readonly isOwn = false;
  readonly keeping: HostState['keeping'];
  readonly #parts: SharedParts;
  readonly #stop = new AbortController();
  readonly #beside: Promise<unknown> | undefined;
  #presence: Presence | undefined;
  #self: Leader | undefined;
  #taken: LeadTerm | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #electing: Promise<unknown> = Promise.resolve();

  constructor(store: EtcdStore, parts: SharedParts) {
    this.#parts = parts;
    this.store = store;
    this.keeping = {
      ...parts.keeping,
      care: async (isManager, signal) => {
        await Promise.all([parts.keeping.care(isManager, signal), this.#raise(signal)]);
      },
    };
    this.#beside = parts.beside?.(this.#stop.signal);
  }

  takePart(self: Leader): LeadView {
    const { client, prefix, clusterId, layouts, log } = this.#parts;
    const storeLog = childLog(log, 'store');
    const lead = new Lead(client, {
      prefix,
      clusterId,
      self,
      onTrouble: (message) => {
        if (message === undefined) storeLog.info('The store answers again');
        else storeLog.warn({ err: message }, 'The store does not answer');
      },
    });
    const present = { nodeId: self.id, addr: self.addr, version: VERSION, layout: layouts.newest };
    this.#presence = new Presence(client, { prefix, clusterId, self: present });
    this.#self = self;
    const { signal } = this.#stop;
    this.#electing = lead.run({ signal });
    this.#running = this.#presence.run({ signal });
    return lead;
  }

  async #raise(signal: AbortSignal): Promise<void> {
    const { layouts, times, log } = this.#parts;
    const { store } = this;
    const [presence, self] = [this.#presence, this.#self];
    if (!presence || !self) return;
    await raiseLayout({ store, presence, times, log, nodeId: self.id, newest: layouts.newest }, signal);
  }

  async takeOver(term: LeadTerm): Promise<void> {
    if (term === this.#taken) return;
    await this.store.lead(term as Term);
    this.#taken = term;
  }

  isThere(nodeId: string): boolean {
    return this.#presence?.has(nodeId) ?? false;
  }

  get others(): readonly Present[] {
    return this.#presence?.others ?? [];
  }

  onOthers(listener: () => void): () => void {
    return this.#presence?.listen(listener) ?? (() => undefined);
  }

  get needsMajority(): boolean {
    return this.#parts.wayOut !== undefined;
  }

  get trouble(): string | undefined {
    const { silentMs, standstill } = this.store;
    if (standstill !== undefined)
      return `this manager can not follow the state of the swarm any more: ${standstill}; what is shown is old, and nothing can be changed through it`;
    if (silentMs < STALE_MS) return undefined;
    const seconds = Math.round(silentMs / 1000);
    const { client, wayOut } = this.#parts;
    const words = `the store of the swarm (${client.where}) has not answered for ${seconds} s: what is shown may be as old, and nothing can be changed`;
    return wayOut === undefined ? words : `${words}; ${wayOut}`;
  }

  backupTo(path: string): Promise<void> {
    return this.#parts.backupTo(path);
  }

  async close(): Promise<void> {
    // What is asked for is written before the lead goes to another.
    await this.store.close();
    this.#stop.abort(new Error('this manager stops'));
    await Promise.all([this.#electing, this.#running, this.#beside]);
    this.#parts.client.close();
  }
}
