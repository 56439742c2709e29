import { backoffMs } from '../base/async.ts';
import { messageOf } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { engineDown } from './pass.ts';
import { engineSwarm, joinEngine, leaveEngine, type EngineSwarm } from './engine-swarm.ts';
import type { LocalEngine } from './local-engine.ts';
import type { LocalConfig } from './state-folder.ts';

export interface MembershipOptions {
  readonly engine: LocalEngine;
  readonly local: LocalConfig;
  /** A token that makes the engine this host's node. */
  readonly token: () => Promise<string>;
  /** `host:port` of the swarm's managers. */
  readonly managers: () => readonly string[];
  /** Whether an address is one of this host. */
  readonly isOwn: (ip: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_MS = 5_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** An engine that is about to begin knows its managers of before for a moment. */
const STRAY_LOOKS = 3;
const ELSEWHERE =
  'The engine of this host still has the address that the host had, or the managers; it is made to join again';
/**
 * An engine's words when it was off for longer than its certificate lived; they name the node (SwarmKit: ValidateCertChain),
 * which nothing else does then.
 */
const EXPIRED = /certificate \(1 - (\w+)\) not valid after .*certificate has expired/;

/**
 * Sees to it that the engine beside this manager is the node that its host is: an engine that left by its own socket, or
 * lost what it knew, joins again under the same id; one that was down is looked at when it is back.
 */
export class Membership {
  readonly #options: MembershipOptions;
  #trouble = '';
  /** The former address for which the engine was made to join again; once is enough. */
  #outdated = '';
  #strayLooks = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** What is wrong, in words for `docker info`; empty where nothing is. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Looks every few seconds until the signal fires. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      const well = await this.#look(signal);
      failures = well ? 0 : failures + 1;
      const waitMs = well ? LOOK_MS : backoffMs(failures - 1, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random);
      await clock.pause(waitMs, signal);
    }
  }

  /** True when the engine is where it belongs. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { engine, local, log, token } = this.#options;
    try {
      const found = await engineSwarm(engine, signal);
      if (found.state === 'inactive') {
        this.#say('the engine of this host has left the swarm; it is joined again');
        await joinEngine(engine, local, await token(), signal);
        log.info({ node: local.nodeId }, 'The engine of this host has joined');
        this.#say('');
        return true;
      }
      this.#say(faultOf(found, local.nodeId));
      if (found.state === 'error' && EXPIRED.exec(found.error)?.[1] === local.nodeId) {
        // Its agent runs no more, and what it ran was moved long ago: it comes back as a fresh one.
        await leaveEngine(engine);
        return false;
      }
      if (found.nodeId === local.nodeId && this.#isElsewhere(found)) {
        log.warn({ addr: found.nodeAddr }, ELSEWHERE);
        await leaveEngine(engine);
        return false;
      }
      return this.#trouble === '' || found.state !== 'pending';
    } catch (error) {
      if (signal.aborted) return true;
      this.#say(messageOf(error).startsWith('engine ') ? engineDown(engine) : messageOf(error));
      return false;
    }
  }

  /**
   * Whether the engine is still where this host no longer is: other engines look for its containers at an address that the host had, or
   * it looks for managers that are nowhere any more.
   */
  #isElsewhere({ nodeAddr, state, managers }: EngineSwarm): boolean {
    const { local, isOwn, managers: all } = this.#options;
    if (!local.source || !isOwn(local.advertise.host)) return false;
    const isOutdated = nodeAddr !== '' && nodeAddr !== this.#outdated && !isOwn(nodeAddr);
    if (isOutdated) this.#outdated = nodeAddr;
    const known = new Set(all());
    const isStray = state === 'pending' && managers.length > 0 && !managers.some((addr) => known.has(addr));
    this.#strayLooks = isStray ? this.#strayLooks + 1 : 0;
    return isOutdated || this.#strayLooks >= STRAY_LOOKS;
  }

  #say(trouble: string): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== '')
      this.#options.log.warn({ reason: trouble }, 'The engine of this host is not in order');
    else this.#options.log.info('The engine of this host is in order');
  }
}

function faultOf(
  { state, nodeId, error }: { state: string; nodeId: string; error: string },
  own: string,
): string {
  if (nodeId !== '' && nodeId !== own)
    return `the engine of this host is part of another swarm (node ${nodeId}); docker swarm leave at its own socket lets it join this one`;
  if (state === 'active') return error === '' ? '' : `the engine of this host says: ${error}`;
  return `the swarm state of this host's engine is ${state}${error === '' ? '' : `: ${error}`}`;
}
