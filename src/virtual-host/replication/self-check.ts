import type { Logger } from 'pino';
import { EngineClient, parseEngineAddress, type EngineTls } from '../../engine/index.ts';
import { wordsOf } from './primary-link.ts';

const PING_MS = 5_000;

/**
 * Warns when this manager cannot be reached at the address that it announces to the others: they would pass nothing on
 * to it. Throws nothing.
 */
export async function checkAdvertised(
  advertise: string,
  { tls, log, signal }: { tls: EngineTls | undefined; log: Logger; signal: AbortSignal },
): Promise<void> {
  let client: EngineClient | undefined;
  try {
    client = new EngineClient(parseEngineAddress(advertise), tls);
    const { status } = await client.call('/_ping', { timeoutMs: PING_MS, signal });
    if (status !== 200) throw new Error(`it answers with status ${status}`);
  } catch (error) {
    if (!signal.aborted)
      log.warn(
        { advertise, err: wordsOf(error) },
        'This manager cannot be reached at its --advertise address: while it is the primary, replicas cannot pass requests on',
      );
  } finally {
    await client?.close();
  }
}
