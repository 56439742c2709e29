import { backoffMs } from '../base/async.ts';
import { messageOf } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { engineDown } from './pass.ts';
import { engineSwarm, joinEngine, leaveEngine } from './engine-swarm.ts';
import type { LocalEngine } from './local-engine.ts';
import type { LocalConfig } from './state-folder.ts';

export interface MembershipOptions {
  readonly engine: LocalEngine;
  readonly local: LocalConfig;
  /** A token that makes the engine this host's node. */
  readonly token: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_MS = 5_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
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
      return this.#trouble === '' || found.state !== 'pending';
    } catch (error) {
      if (signal.aborted) return true;
      this.#say(messageOf(error).startsWith('engine ') ? engineDown(engine) : messageOf(error));
      return false;
    }
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
