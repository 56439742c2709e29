import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { LocalConfig } from './state-folder.ts';

/** Where engines of a swarm tell one another of the containers on its overlay networks; Docker's fixed port. */
const GOSSIP_PORT = 7946;
const PATIENCE_MS = 3_000;
const ATTEMPT_MS = 500;
const PAUSE_MS = 25;

/**
 * Waits until the engine of a manager's host listens to other engines, which is shortly after it has joined. Other
 * engines look for it once when they join, and then only after a minute: one that comes too early would know no container
 * but its own till then. Gives up after three seconds, and never rejects: the swarm is there without.
 */
export async function untilGossip({ listen, advertise }: LocalConfig, clock: Clock): Promise<void> {
  const host = listen.host === '0.0.0.0' || listen.host === '::' ? advertise.host : listen.host;
  const patience = AbortSignal.timeout(PATIENCE_MS);
  while (!patience.aborted && !(await accepts(host))) await clock.pause(PAUSE_MS, patience);
}

function accepts(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: GOSSIP_PORT, timeout: ATTEMPT_MS });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}
