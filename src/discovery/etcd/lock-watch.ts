import { SwarmError } from '../../base/errors.ts';

/** The holders without repetitions, until the signal fires. Throws `unavailable` at any other end. */
export async function* distinct(
  states: AsyncIterable<{ holder: string | undefined }>,
  signal: AbortSignal,
): AsyncGenerator<string | undefined> {
  let last: { holder: string | undefined } | undefined;
  try {
    for await (const state of states) {
      if (signal.aborted) return;
      if (last === undefined || last.holder !== state.holder) yield state.holder;
      last = state;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  if (!signal.aborted) throw new SwarmError('unavailable', 'etcd ended the watch of a lock');
}
