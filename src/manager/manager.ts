import { ConnectError } from '@connectrpc/connect';
import { Bell } from '../base/bell.ts';
import { orAborted } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { issueManagerCertificate, removeNode, runManagerRenewal } from '../ca/index.ts';
import type { Leader, LeadTerm, LeadView, LoopContext } from '../store/index.ts';
import {
  connectManagers,
  startSwarmPort,
  type ApiHandler,
  type SwarmCredentials,
  type SwarmPort,
} from '../swarmkit/index.ts';
import { dismiss } from './dismiss.ts';
import { beginLeading, type Leading, type LeadingParts } from './leading.ts';
import { runLoops } from './loops.ts';
import { showWitness } from './witness-label.ts';

/** `nodeId` is the node that this host is; its row is there and has the role manager. */
export interface ManagerOptions extends LeadingParts {
  /** Where agents and managers are listened to. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly lead: LeadView;
  /** Makes the store one that this host writes, for a term. Rejects where the term ends before that. */
  readonly takeOver: (term: LeadTerm) => Promise<void>;
  /** Answers what other managers pass on of their clients' requests. */
  readonly onApi: ApiHandler;
  /** What is to run as long as this host leads. */
  readonly whileLeading?: (leading: Leading, signal: AbortSignal) => Promise<void>;
}

/** A manager that runs: the swarm's port, and who leads behind it. */
export interface Manager {
  /** The port that agents come to, as it was bound. */
  readonly port: number;
  /** What goes on while this host leads; undefined while it does not. */
  readonly leading: Leading | undefined;
  /** Who leads, as far as is known: this host included, when it has begun to. */
  readonly leader: Leader | undefined;
  /** What it shows to other managers. */
  readonly credentials: SwarmCredentials;
  /** A token with which this host's engine becomes this host's node, once: the leader's. Rejects where none answers. */
  engineToken(): Promise<string>;
  /** Has this host's row say that it manages no more, or go. Rejects where no leader answers, and for the last manager. */
  resign(how: { readonly remove: boolean }): Promise<void>;
  /** Makes workers of all other managers, and nobody a witness: they are lost. Rejects where this one does not lead. */
  dismissOthers(): Promise<void>;
  /** Resolves when this host leads, or the signal fires. */
  untilLeading(signal: AbortSignal): Promise<void>;
  /** Called after every change of `leading` and `leader`. Returns what ends it. */
  listen(listener: () => void): () => void;
  /** Ends within seconds; the port is free then. */
  close(): Promise<void>;
}

/** How long calls under way may take to end. */
const CLOSE_GRACE_MS = 1_000;
const RETRY_MS = 500;
/** A lead that has not begun by then is given back. */
const BEGIN_MS = 30_000;
const WATCH_MS = 1_000;
const ASKED = { timeoutMs: 10_000 };

type LeaderClient = ReturnType<typeof connectManagers>['client'];

/** Starts a manager over a store that has a cluster. Rejects with the error of `listen` where the port is taken. */
export async function startManager(context: LoopContext, options: ManagerOptions): Promise<Manager> {
  const { store, times, log } = context;
  const { nodeId, listen, onApi } = options;
  const cluster = store.view.cluster();
  if (!cluster) throw new SwarmError('no-manager', 'there is no swarm in this state');
  const credentials = await issueManagerCertificate(cluster, nodeId, times.wallMs());
  const isManager = (id: string): boolean => store.view.get('node', id)?.role === 'manager';
  const port = await startSwarmPort({ listen, credentials, log, isManager });
  port.onApi(onApi);
  return new RunningManager(context, { ...options, port, first: credentials });
}

interface Parts extends ManagerOptions {
  readonly port: SwarmPort;
  readonly first: SwarmCredentials;
}

class RunningManager implements Manager {
  readonly #context: LoopContext;
  readonly #parts: Parts;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #running: Promise<unknown>;
  #credentials: SwarmCredentials;
  #leading: Leading | undefined;

  constructor(context: LoopContext, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
    this.#credentials = parts.first;
    const { nodeId, port, first } = parts;
    const onRenewed = (next: SwarmCredentials): void => {
      this.#credentials = next;
      port.setCredentials(next);
    };
    const loops = {
      lead: (signal: AbortSignal) => this.#follow(signal),
      watchdog: (signal: AbortSignal) => this.#watchLead(signal),
      certificate: (signal: AbortSignal) =>
        runManagerRenewal(context, { nodeId, current: first, onRenewed }, signal),
    };
    this.#running = runLoops(context, loops, this.#stop.signal);
  }

  get port(): number {
    return this.#parts.port.port;
  }

  get leading(): Leading | undefined {
    return this.#leading;
  }

  get leader(): Leader | undefined {
    const { lead, nodeId } = this.#parts;
    const { leader } = lead;
    return leader?.id === nodeId && !this.#leading ? undefined : leader;
  }

  get credentials(): SwarmCredentials {
    return this.#credentials;
  }

  async engineToken(): Promise<string> {
    if (this.#leading) return this.#leading.engineToken(this.#parts.nodeId);
    return this.#atLeader(async (managers) => (await managers.engineToken({}, ASKED)).token);
  }

  async resign({ remove }: { readonly remove: boolean }): Promise<void> {
    const { nodeId } = this.#parts;
    const { store, times } = this.#context;
    if (!this.#leading) await this.#atLeader((managers) => managers.leave({ remove }, ASKED));
    else if (remove) await store.update((tx) => removeNode(tx, nodeId, times.wallMs()));
    else await store.update((tx) => dismiss(tx, nodeId));
  }

  async dismissOthers(): Promise<void> {
    const { nodeId } = this.#parts;
    await this.#context.store.update((tx) => {
      for (const { id, role } of [...tx.all('node')])
        if (role === 'manager' && id !== nodeId) dismiss(tx, id);
    });
    await showWitness(this.#context.store, undefined);
  }

  async #atLeader<T>(act: (managers: LeaderClient) => Promise<T>): Promise<T> {
    const { leader } = this;
    if (!leader) throw new SwarmError('unavailable', 'the swarm has no leader at the moment');
    const link = connectManagers(leader.addr, this.#credentials);
    try {
      return await act(link.client);
    } catch (error) {
      const { rawMessage } = ConnectError.from(error);
      throw new SwarmError('unavailable', `the leader at ${leader.addr}: ${rawMessage}`, { cause: error });
    } finally {
      link.close();
    }
  }

  async untilLeading(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => void (this.#leading && resolve());
    const unlisten = this.listen(look);
    look();
    await orAborted(promise, signal).finally(unlisten);
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the manager stops'));
    await this.#parts.port.close(CLOSE_GRACE_MS);
    await this.#running;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { lead, nodeId, port } = this.#parts;
    const { times, log } = this.#context;
    const bell = new Bell();
    const unlisten = lead.listen(() => bell.ring());
    bell.ring();
    try {
      while (await bell.heard(signal)) {
        const { term, leader } = lead;
        const isElsewhere = !term && leader && leader.id !== nodeId;
        port.passTo(isElsewhere ? { nodeId: leader.id, addr: leader.addr } : undefined);
        this.#tell();
        if (!term) continue;
        try {
          await this.#lead(term, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ err: messageOf(error) }, 'This manager could not begin to lead');
          await times.pause(RETRY_MS, signal);
        }
        bell.ring();
      }
    } finally {
      unlisten();
    }
  }

  /** A lead with which this manager can't begin is another one's to have, if there is one. */
  async #watchLead(signal: AbortSignal): Promise<void> {
    const { lead } = this.#parts;
    const { times, log } = this.#context;
    for (let idle: LeadTerm | undefined, sinceMs = 0; !signal.aborted;) {
      const term = this.#leading ? undefined : lead.term;
      if (term !== idle) sinceMs = times.nowMs();
      else if (term && lead.giveBack && times.nowMs() - sinceMs >= BEGIN_MS) {
        log.error(
          { afterMs: BEGIN_MS },
          'This manager has the lead and can not begin: another one may have it',
        );
        lead.giveBack();
      }
      idle = term;
      await times.pause(WATCH_MS, signal);
    }
  }

  /** Leads until the term ends. Everybody is told so before anything else, and nothing of it goes on when it resolves. */
  async #lead(term: LeadTerm, signal: AbortSignal): Promise<void> {
    const { port, takeOver, whileLeading } = this.#parts;
    await takeOver(term);
    const ended = AbortSignal.any([term.signal, signal]);
    if (ended.aborted) return;
    const leading = beginLeading(this.#context, this.#parts, ended);
    const endServing = port.serve(leading.routes);
    this.#leading = leading;
    this.#tell();
    const beside = whileLeading?.(leading, ended);
    if (!ended.aborted)
      await new Promise<void>((resolve) => {
        ended.addEventListener('abort', () => resolve(), { once: true });
      });
    this.#leading = undefined;
    const served = endServing(CLOSE_GRACE_MS);
    this.#tell();
    await Promise.all([served, leading.close(), beside]);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
