import { ConnectError } from '@connectrpc/connect';
import { CA } from '../../proto/generated/swarmkit/ca_pb.js';
import { SwarmError } from '../base/errors.ts';
import { ANY_MANAGER_TLS, linkToManager } from '../swarmkit/index.ts';
import { parseJoinToken, rootDigest } from './join-token.ts';

const TIMES = { pingMs: 5_000, pingAnswerMs: 5_000 };
const CALL_MAX_MS = 10_000;
const ROOT_MAX_BYTES = 256 * 1024;

/**
 * The root that the manager at `addr` (`host:port`) hands out, PEM, checked against a join token as engines do: nothing
 * else is known of the other end. Throws `invalid` for a token that is none and for another root, `unavailable` where
 * nobody answers in time.
 */
export async function fetchRoot(addr: string, token: string, callMaxMs = CALL_MAX_MS): Promise<string> {
  const { digest } = parseJoinToken(token);
  const link = linkToManager(CA, {
    addr,
    tls: ANY_MANAGER_TLS,
    times: TIMES,
    messageMaxBytes: ROOT_MAX_BYTES,
    callMaxMs,
  });
  try {
    const { certificate } = await link.client.getRootCACertificate({});
    const rootPem = Buffer.from(certificate).toString();
    if (rootDigest(rootPem) === digest) return rootPem;
  } catch (cause) {
    throw new SwarmError('unavailable', `manager ${addr}: ${ConnectError.from(cause).rawMessage}`, { cause });
  } finally {
    link.close();
  }
  throw new SwarmError('invalid', `remote CA does not match fingerprint. Expected: ${hexOf(digest)}`);
}

/** A digest as SwarmKit's words show it. */
function hexOf(digest: string): string {
  let number = 0n;
  for (const digit of digest) number = number * 36n + BigInt(Number.parseInt(digit, 36));
  return number.toString(16).padStart(64, '0');
}
