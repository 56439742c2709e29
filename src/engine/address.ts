import { isIP } from 'node:net';
import { SwarmError } from '../base/errors.ts';

/** Where one engine listens. */
export type EngineAddress =
  { kind: 'tcp'; host: string; port: number; text: string } | { kind: 'unix'; path: string; text: string };

/** The port of an engine whose address names none. */
export const DEFAULT_ENGINE_PORT = 2375;

/** Reads `host`, `host:port`, `[v6]:port`, `tcp://host:port` or `unix:///path`. Throws `invalid`. */
export function parseEngineAddress(input: string): EngineAddress {
  const text = input.trim();
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!path.startsWith('/')) throw bad(input, 'a unix socket needs an absolute path');
    return { kind: 'unix', path, text };
  }
  const rest = text.startsWith('tcp://') ? text.slice('tcp://'.length) : text;
  const match = /^(?:\[([^\]]+)\]|([^:/\s]+))(?::(\d+))?$/.exec(rest);
  if (!match) throw bad(input, 'expected host:port');
  const host = match[1] ?? match[2] ?? '';
  if (match[1] !== undefined && isIP(match[1]) !== 6) throw bad(input, 'not an IPv6 address');
  const port = match[3] === undefined ? DEFAULT_ENGINE_PORT : Number(match[3]);
  if (port < 1 || port > 65535) throw bad(input, 'the port must be between 1 and 65535');
  const shown = match[1] === undefined ? host : `[${host}]`;
  return { kind: 'tcp', host, port, text: `${shown}:${port}` };
}

function bad(input: string, why: string): SwarmError {
  return new SwarmError('invalid', `invalid engine address "${input}": ${why}`);
}
