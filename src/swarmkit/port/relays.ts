import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { plainAddr, type SwarmCredentials } from '../identity.ts';
import { LeaderPulse } from './leader-pulse.ts';
import { openManagerSocket, RELAY_PROTOCOL, type ManagerPlace } from './manager-socket.ts';
import { relayHead } from './relay-head.ts';

export interface RelayTimes {
  /** For a connection to the leader. */
  readonly connectMs: number;
  /** How often it is looked whether something came from the leader. */
  readonly lookMs: number;
  /** How long one side may go on after the other has ended. */
  readonly lingerMs: number;
}

export interface RelaysOptions {
  readonly credentials: () => SwarmCredentials;
  readonly times?: RelayTimes;
  /** At a time. */
  readonly max?: number;
  readonly log: Logger;
}

const RELAY_TIMES: RelayTimes = { connectMs: 3_000, lookMs: 5_000, lingerMs: 10_000 };
/** Every agent of a large swarm has one connection. */
const RELAYS_MAX = 10_000;

interface Relay {
  /** The caller's side. */
  readonly near: Socket;
  /** The leader's side, once it stands. */
  far?: TLSSocket;
  readonly stop: AbortController;
}

/** Carries connections on to the leader's port, as they are. */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #times: RelayTimes;
  readonly #open = new Set<Relay>();
  readonly #pulse: LeaderPulse;
  #leader: ManagerPlace | undefined;
  /** Fires when the leader is another one. */
  #changed = new AbortController();
  /** Whether it was said that the leader can't be reached. */
  #isSaid = false;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#times = options.times ?? RELAY_TIMES;
    this.#pulse = new LeaderPulse({
      lookMs: this.#times.lookMs,
      tryAnew: () => this.#try(),
      onLost: () => this.#cutAll(),
    });
  }

  get leader(): ManagerPlace | undefined {
    return this.#leader;
  }

  /** New connections go there from now on; those to another one are cut. False where it is the same as before. */
  passTo(leader: ManagerPlace | undefined): boolean {
    const { addr, nodeId } = this.#leader ?? {};
    this.#leader = leader;
    if (leader?.addr === addr && leader?.nodeId === nodeId) return false;
    this.#isSaid = false;
    this.#changed.abort(new Error('the leader is another one'));
    this.#changed = new AbortController();
    this.#cutAll();
    return true;
  }

  /**
   * Relays a connection, whose first bytes wait to be read. `orElse` is called instead while nothing was sent: the
   * leader can't be reached, or there is none any more.
   */
  take(near: Socket, orElse: () => void): void {
    if (!this.#leader) return orElse();
    const { max = RELAYS_MAX } = this.#options;
    if (this.#open.size >= max) {
      this.#say(this.#leader, new Error(`${max} are relayed, which is as many as there may be`));
      return void near.destroy();
    }
    void this.#relay(near, this.#leader, orElse);
  }

  /** Never rejects. */
  async #relay(near: Socket, leader: ManagerPlace, orElse: () => void): Promise<void> {
    const relay: Relay = { near, stop: new AbortController() };
    const { signal } = relay.stop;
    const onClose = (): void => {
      this.#forget(relay);
      cut(relay);
    };
    this.#open.add(relay);
    near.once('close', onClose);
    try {
      const addr = plainAddr(near.remoteAddress);
      const far = await this.#connect(leader, signal);
      relay.far = far;
      far.on('error', (error) =>
        this.#options.log.debug({ leader: leader.addr, error }, 'a relay ended oddly'),
      );
      far.once('close', () => cut(relay));
      if (signal.aborted) return cut(relay);
      far.write(relayHead(addr));
      this.#join(near, far);
    } catch (error) {
      near.off('close', onClose);
      this.#forget(relay);
      if (!signal.aborted) this.#say(leader, error);
      if (!near.destroyed) orElse();
    }
  }

  async #connect(leader: ManagerPlace, signal: AbortSignal): Promise<TLSSocket> {
    const socket = await openManagerSocket(leader, {
      credentials: this.#options.credentials(),
      protocol: RELAY_PROTOCOL,
      timeoutMs: this.#times.connectMs,
      signal,
    });
    this.#isSaid = false;
    return socket;
  }

  #join(near: Socket, far: TLSSocket): void {
    linked(near, far, this.#times.lingerMs);
    linked(far, near, this.#times.lingerMs);
    near.on('data', () => this.#pulse.asked());
    far.on('data', () => this.#pulse.heard());
  }

  /** Rejects where the leader can't be reached any more. */
  async #try(): Promise<void> {
    const leader = this.#leader;
    if (!leader) return;
    try {
      (await this.#connect(leader, this.#changed.signal)).destroy();
    } catch (error) {
      if (leader !== this.#leader) return;
      this.#say(leader, error);
      throw error;
    }
  }

  #cutAll(): void {
    for (const relay of this.#open) cut(relay);
  }

  #forget(relay: Relay): void {
    this.#open.delete(relay);
    if (this.#open.size === 0) this.#pulse.stop();
  }

  #say({ addr }: ManagerPlace, error: unknown): void {
    if (this.#isSaid) return;
    this.#isSaid = true;
    const reason = messageOf(error);
    this.#options.log.warn({ leader: addr, reason }, 'connections of agents can not be relayed');
  }
}

/** What comes from one goes to the other, its end too. */
function linked(from: Socket, to: Socket, lingerMs: number): void {
  from.allowHalfOpen = true;
  from.once('end', () => {
    const late = setTimeout(() => to.destroy(), lingerMs);
    to.once('close', () => clearTimeout(late));
  });
  from.pipe(to);
}

/** Ends a relay; one that has no connection to the leader yet may be answered otherwise. */
function cut({ near, far, stop }: Relay): void {
  stop.abort(new Error('the connection is given up'));
  if (!far) return;
  near.destroy();
  far.destroy();
}
