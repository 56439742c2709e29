import { messageOf } from './errors.ts';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'no route to host',
  ETIMEDOUT: 'no answer',
  ENOTFOUND: 'its host name cannot be resolved',
  EAI_AGAIN: 'its host name cannot be resolved',
};

/** Why a connection failed, in a person's words and without the address. */
export function wireWords(error: unknown): string {
  const code = errorCode(error);
  return (
    WORDS[code] ?? (code.startsWith('HPE_') ? 'what answers does not speak HTTP' : messageOf(first(error)))
  );
}

/** The system's code of a failure (`ECONNREFUSED`); empty where it has none. */
export function errorCode(error: unknown): string {
  const one = first(error);
  return one instanceof Error && 'code' in one ? String(one.code) : '';
}

/** A host name with several addresses fails once for each. */
function first(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}
