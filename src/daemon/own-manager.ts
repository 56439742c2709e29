import { backoffMs, orAborted } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { swarmEvent } from '../control/index.ts';
import { LockedError, parseUnlockKey, type LeadView } from '../store/index.ts';
import { leaveOwnSwarm } from './engine-swarm.ts';
import type { HostAddresses } from './host-addresses.ts';
import type { LifeOptions } from './life-options.ts';
import { livingManager } from './living-manager.ts';
import { beginSwarm, type RunningSwarm } from './managed-swarm.ts';
import { FIRST_LEAD_MS } from './new-swarm.ts';
import { livesOn, localOf } from './restored-state.ts';
import type { LocalConfig } from './state-folder.ts';
import type { HostState } from './states.ts';
import { hostPort } from './swarm-addresses.ts';

/** Of a manager that goes on where its host is found now. */
export const MOVED = 'This host has another address now; the manager goes on there';
const REMOVED =
  'this host was removed from its swarm: docker swarm leave --force makes it free to join again';
/** A state that can't be read is tried again and again. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 10_000];
/** Who leaves waits no longer for the others. */
const RESIGN_MS = 10_000;

/**
 * The manager of this host: whether it runs, what keeps one that should from running, and how it begins, goes on after a
 * start, and ends. What changes it takes its turn by `inTurn`.
 */
export class OwnManager {
  readonly #options: LifeOptions;
  readonly #addresses: HostAddresses;
  readonly #closing = new AbortController();
  #running: RunningSwarm | undefined;
  #trouble: string | undefined;
  #isLocked = false;
  #pause: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LifeOptions, addresses: HostAddresses) {
    this.#options = options;
    this.#addresses = addresses;
  }

  get running(): RunningSwarm | undefined {
    return this.#running;
  }

  /** Why it does not run although it is to, in words. */
  get trouble(): string | undefined {
    return this.#running ? undefined : this.#trouble;
  }

  /** Whether it is to run on this host, now or when its trouble is over. */
  get isWanted(): boolean {
    return this.#running !== undefined || this.#trouble !== undefined;
  }

  /** Whether the state waits for its unlock key. */
  get isLocked(): boolean {
    return !this.#running && this.#isLocked;
  }

  /** Resolves when it is not being restarted. */
  get settled(): Promise<void> {
    return this.#pause ?? Promise.resolve();
  }

  /** One change at a time. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** What the managers of a locked swarm tell one that joins them. */
  offer(unlockKey: string): void {
    if (unlockKey !== '') this.#options.keyring.offer(parseUnlockKey(unlockKey));
  }

  /** Why the manager does not run although it is to; undefined: it runs, or is not to. */
  say(trouble: string | undefined): void {
    this.#isLocked = trouble === new LockedError().message;
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== undefined)
      this.#options.log.warn({ reason: trouble }, 'This host does not manage its swarm');
  }

  /**
   * Goes on with the swarm that this host manages, if it manages one. A state that can't be read now is tried again later; rejects
   * where it never will be.
   */
  async resume(): Promise<void> {
    try {
      await this.inTurn(() => this.resumeNow());
    } catch (error) {
      if (error instanceof LockedError) return this.say(error.message);
      if (this.#options.folder.readLocal() === undefined || !isPassing(error)) throw error;
      this.say(messageOf(error));
      void this.#resumeLater();
    }
  }

  /** `resume`, once, for whoever has the turn. */
  async resumeNow(): Promise<void> {
    const { folder, states, engine, log } = this.#options;
    const before = folder.readLocal();
    if (this.#running) return;
    if (states.witnessId !== undefined) return states.witness(undefined);
    if (!(states.hasOwn || (before && states.kind === 'etcd'))) return;
    const kept = before && (await this.#addresses.now(before));
    if (kept && kept !== before) {
      if (kept.advertise.host !== before.advertise.host)
        log.warn({ from: hostPort(before.advertise), addr: hostPort(kept.advertise) }, MOVED);
      // First of all: what the host has of the state goes to that address too.
      folder.writeLocal(kept);
    }
    const state = await states.open();
    const { store } = state;
    if (!store.view.cluster()) return state.close();
    const own = kept && store.view.get('node', kept.nodeId);
    if (!state.isOwn && own?.role !== 'manager') {
      await state.close();
      if (!own) return this.say(REMOVED);
      await states.stepDown();
      folder.wipe();
      return this.say(undefined);
    }
    const living = this.#options.livingManager ?? livingManager;
    const elsewhere = folder.isRestored ? await living(store, engine) : undefined;
    if (elsewhere !== undefined) {
      await state.close();
      return this.say(livesOn(elsewhere));
    }
    const { ownAddresses } = this.#addresses;
    const local = { ...(kept && own ? kept : localOf(store, ownAddresses)), store: states.kind };
    try {
      folder.writeLocal(local);
    } catch (error) {
      // The disk is full; it is tried again, and nobody else can have the state meanwhile.
      await state.close();
      throw error;
    }
    const running = await this.begin(state, local);
    if (folder.isRestored) await this.#goOnAlone(running);
    running.follow();
    folder.markRestored(false);
    this.say(undefined);
    log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Manager of a swarm');
  }

  /** What was restored has one manager, whatever it had when it was saved. */
  async #goOnAlone({ manager }: RunningSwarm): Promise<void> {
    try {
      await manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS));
      await manager.dismissOthers();
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  async #resumeLater(): Promise<void> {
    const { signal } = this.#closing;
    for (let tries = 0; this.#trouble !== undefined && !signal.aborted; tries += 1) {
      await this.#options.times.pause(backoffMs(tries, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random), signal);
      try {
        await this.inTurn(async () => {
          if (this.#trouble !== undefined && !signal.aborted) await this.resumeNow();
        });
        return;
      } catch (error) {
        this.say(messageOf(error));
        if (error instanceof LockedError) return;
      }
    }
  }

  /** Begins the manager of a state, which is closed with it; `first` writes what a new swarm begins with. */
  async begin(
    state: HostState,
    local: LocalConfig,
    first?: (lead: LeadView) => Promise<void>,
  ): Promise<RunningSwarm> {
    const { events, times } = this.#options;
    state.store.watch((changes) => {
      for (const change of changes) {
        const event = swarmEvent(change, times.wallMs());
        if (event) events.add(event);
      }
    });
    const running = await beginSwarm({
      state,
      local,
      options: this.#options,
      ...(first ? { seed: first } : {}),
      onDismissed: (how) => this.#dismissed(how),
    });
    this.#running = running;
    return running;
  }

  /** Ends the manager, and has it begin again while clients wait; where that fails it is tried again later. */
  async restart(begin: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = promise;
    try {
      const unlockKey = this.#running?.store.lock.keyInForce ?? '';
      await this.end();
      this.offer(unlockKey);
      await begin();
    } catch (error) {
      if (!this.#running) {
        this.say(messageOf(error));
        void this.#resumeLater();
      }
      throw error;
    } finally {
      this.#pause = undefined;
      resolve();
    }
  }

  /** This host's node is a manager no more, by another's word. */
  #dismissed(how: 'demoted' | 'removed'): void {
    void this.inTurn(async () => {
      const running = this.#running;
      if (!running) return;
      const { folder, states, log } = this.#options;
      await this.end();
      await (how === 'demoted' ? states.stepDown() : states.forget());
      if (how === 'demoted') folder.wipe();
      else this.say(REMOVED);
      log.info({ node: running.local.nodeId }, how === 'demoted' ? 'This host is a worker now' : REMOVED);
    }).catch((error: unknown) => {
      this.#options.log.error({ err: messageOf(error) }, 'The manager of this host did not end as it should');
    });
  }

  /** As well as it goes: who can't be told is told by this host's silence. */
  async resign(how: { readonly remove: boolean }): Promise<void> {
    const manager = this.#running?.manager;
    if (!manager) return;
    await orAborted(manager.resign(how), AbortSignal.timeout(RESIGN_MS)).catch((error: unknown) => {
      this.#options.log.warn({ err: messageOf(error) }, 'The other managers could not be told');
    });
  }

  /** Has the engine leave the swarm of a node that `isOurs`, as well as it goes. */
  async leaveEngine(isOurs: (nodeId: string) => boolean): Promise<void> {
    await leaveOwnSwarm(this.#options.engine, isOurs).catch((error: unknown) => {
      this.#options.log.warn({ err: messageOf(error) }, 'The engine of this host could not leave the swarm');
    });
  }

  /** Ends for good, with what the state was opened in; the state stays. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.inTurn(async () => {
      await this.end();
      await this.#options.states.close();
    });
  }

  /** Ends the manager, if it runs; the state stays. */
  async end(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    await running.end();
    this.#options.keyring.forget();
  }
}

/** Whether another try may go better. */
function isPassing(error: unknown): boolean {
  return error instanceof SwarmError && (error.code === 'unavailable' || error.code === 'timeout');
}
