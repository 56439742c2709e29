import { parseDuration } from '../base/duration.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { FlagValues } from '../base/flags.ts';

/** The duration a flag holds, in milliseconds. Throws `invalid --<flag>: <Go's words>`. */
export function durationFlag(values: FlagValues, flag: string): number {
  try {
    return parseDuration(values.text(flag));
  } catch (error) {
    throw new SwarmError('invalid', `invalid --${flag}: ${messageOf(error)}`);
  }
}

/** `--heartbeat`, at least a second: less would be load for its own sake. */
export function heartbeatFlag(values: FlagValues): number {
  const ms = durationFlag(values, 'heartbeat');
  if (ms < 1000) throw new SwarmError('invalid', '--heartbeat should be at least one second');
  return ms;
}
