import { buildConnector } from 'undici';
import type { EngineAddress } from './address.ts';

/**
 * What a connection to an engine needs to speak TLS. PEM bytes; `verify` checks the engine against `ca`. The fields may
 * change when files were renewed: new connections take what they hold then.
 */
export interface EngineTls {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  verify: boolean;
}

/** How undici opens a connection to this engine. */
export function connectorTo(
  address: EngineAddress,
  tls: EngineTls | undefined,
  timeoutMs: number,
): buildConnector.connector {
  const timeout = { timeout: timeoutMs };
  if (address.kind === 'unix') return buildConnector({ ...timeout, socketPath: address.path });
  if (!tls) return buildConnector(timeout);
  let { cert, ca } = tls;
  let connect = buildConnector({ ...timeout, ...tlsOptions(tls) });
  return (options, callback) => {
    // A connector keeps its files, and the sessions begun with them.
    if (tls.cert !== cert || tls.ca !== ca) {
      ({ cert, ca } = tls);
      connect = buildConnector({ ...timeout, ...tlsOptions(tls) });
    }
    connect(options, (...result) => {
      const [, socket] = result;
      // An engine that refuses our certificate says so by an alert, and ends. Without this, undici tells of the end only.
      socket?.once('error', (error: Error) => socket.destroy(error));
      callback(...result);
    });
  };
}

/** The options of `tls.connect`, as the files are now. */
export function tlsOptions(tls: EngineTls): {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  rejectUnauthorized: boolean;
} {
  return {
    ...(tls.ca ? { ca: tls.ca } : {}),
    ...(tls.cert ? { cert: tls.cert } : {}),
    ...(tls.key ? { key: tls.key } : {}),
    rejectUnauthorized: tls.verify,
  };
}
