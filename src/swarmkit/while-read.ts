/**
 * Passes messages on for as long as they are read. `left(true)` is called when one is handed over, `left(false)` when it was
 * read or nothing will be read any more: a message left unread for long is a reason to give the caller up by the signal.
 * What it would have had is not kept. Throws the signal's reason at the end, unless the caller itself went away.
 */
export async function* whileRead<T>(
  messages: AsyncIterable<T>,
  left: (unread: boolean) => void,
  signal: AbortSignal,
  gone: AbortSignal,
): AsyncGenerator<T> {
  // A call that is cut off is not always resumed, so what it holds is given back here.
  signal.addEventListener('abort', () => left(false));
  for await (const message of messages) {
    if (signal.aborted) break;
    left(true);
    try {
      yield message;
    } catch {
      return; // Connect's way to say that it could not be written: the caller is gone
    } finally {
      left(false);
    }
  }
  if (!gone.aborted) signal.throwIfAborted();
}
