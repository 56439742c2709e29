import { SwarmError } from '../base/errors.ts';

/** The first descriptor that systemd hands over. */
const FIRST_FD = 3;
const MAX_SOCKETS = 64;

/**
 * The sockets that systemd opened for this process (sd_listen_fds). Throws `invalid` where there are none, because
 * nobody would be listened to.
 */
export function activatedSockets(env: NodeJS.ProcessEnv, pid: number): number[] {
  const count = Number(env['LISTEN_FDS'] ?? '');
  const ours = env['LISTEN_PID'] === undefined || env['LISTEN_PID'] === String(pid);
  if (!ours || !Number.isInteger(count) || count < 1 || count > MAX_SOCKETS)
    throw new SwarmError('invalid', '-H fd:// needs sockets of systemd, and none were handed over');
  return Array.from({ length: count }, (_, at) => FIRST_FD + at);
}
