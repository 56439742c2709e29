import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { pause } from '../base/async.ts';
import { peerOf, type Peer } from './identity.ts';

interface Held {
  readonly session: ServerHttp2Session;
  readonly socket: TLSSocket;
  readonly peer: Peer;
  /** Bytes received when it was last looked at. */
  seenBytes: number;
  /** Looks since something came. */
  quietLooks: number;
}

/** A silent connection is pinged at each look, and given up at this one. */
const LOST_AFTER_LOOKS = 3;
/** A joiner needs a tenth of a second. */
const STRANGERS_MAX = 1_000;
/** Calls that each of them may have under way; a joiner has one at a time. What they send half of is kept in memory. */
const STRANGER_CALLS_MAX = 8;

/**
 * The connections of a server. A host that lost its power sends no end: a connection over which nothing came for three
 * looks, not even the answer to a ping, is cut. Agents send heartbeats, so hardly any is ever pinged. Whoever shows no
 * certificate gets as long whatever it sends, and makes room for the next when there are many.
 */
export class Sessions {
  readonly #held = new Map<ServerHttp2Session, Held>();
  readonly #strangers = new Set<ServerHttp2Session>();

  /** Gives who it is with, at the address `addr`. */
  add(session: ServerHttp2Session, addr: string): Peer {
    const socket = session.socket as TLSSocket;
    const held = {
      session,
      socket,
      peer: peerOf(socket, addr),
      seenBytes: 0,
      quietLooks: 0,
    };
    this.#held.set(session, held);
    if (!held.peer.identity) {
      this.#strangers.add(session);
      limitCalls(session);
    }
    session.once('close', () => {
      this.#held.delete(session);
      this.#strangers.delete(session);
    });
    if (this.#strangers.size > STRANGERS_MAX) {
      const [oldest] = this.#strangers;
      oldest?.destroy();
    }
    return held.peer;
  }

  /** Undefined for a connection that has just ended. */
  peer(session: ServerHttp2Session | undefined): Peer | undefined {
    return session && this.#held.get(session)?.peer;
  }

  /**
   * Lets what is under way on the connections of now come to its end, and takes nothing new; cuts after `graceMs` those
   * that are still open. Resolves when all are closed or cut: a session that was closed first waits, even when it is
   * destroyed, for the other end, which may be frozen or out of reach.
   */
  async end(graceMs: number): Promise<void> {
    const ending = [...this.#held.keys()];
    const closed = ending.map((session) => new Promise<void>((done) => session.once('close', done)));
    for (const session of ending) session.close();
    const over = new AbortController();
    await Promise.race([Promise.all(closed), pause(graceMs, over.signal)]);
    over.abort();
    for (const session of ending) session.destroy();
  }

  /** Looks at all connections again and again, until the signal fires. */
  async run(lookMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(lookMs, signal);
      if (signal.aborted) return;
      for (const held of this.#held.values()) look(held);
    }
  }
}

/** Nothing was read of it yet, and what goes beyond is refused whether the peer takes note of this or not. */
function limitCalls(session: ServerHttp2Session): void {
  try {
    session.settings({ maxConcurrentStreams: STRANGER_CALLS_MAX });
  } catch {
    // It is ending.
  }
}

function look(held: Held): void {
  const bytes = bytesOf(held.socket);
  if (bytes !== held.seenBytes && held.peer.identity) held.quietLooks = 0;
  else held.quietLooks++;
  held.seenBytes = bytes;
  if (held.quietLooks >= LOST_AFTER_LOOKS) held.session.destroy();
  else if (held.quietLooks > 0) ping(held.session);
}

function bytesOf(socket: TLSSocket): number {
  try {
    return socket.bytesRead;
  } catch {
    return -1; // it is ending: its session says so
  }
}

function ping(session: ServerHttp2Session): void {
  try {
    // Its answer is seen as bytes.
    session.ping(() => undefined);
  } catch {
    // It is ending.
  }
}
