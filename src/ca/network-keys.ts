import { randomBytes } from 'node:crypto';
import type { NetworkKey } from '../model/index.ts';

const SUBSYSTEMS = ['networking:gossip', 'networking:ipsec'] as const;
const KEY_BYTES = 16;
/** A node that was away at one rotation still knows the key that others use. */
const KEYS_OF_EACH = 3;

export type RandomBytes = (size: number) => Uint8Array;

/** The first keys of a swarm: three of each subsystem, numbered from 1. */
export function makeNetworkKeys(random: RandomBytes = randomBytes): NetworkKey[] {
  return SUBSYSTEMS.flatMap((subsystem) =>
    Array.from({ length: KEYS_OF_EACH }, (_, at) => newKey(subsystem, at + 1, random)),
  );
}

/** The keys after a rotation: of each subsystem the oldest goes and a new one comes, which agents use at the next but one. */
export function rotateNetworkKeys(
  keys: readonly NetworkKey[],
  random: RandomBytes = randomBytes,
): NetworkKey[] {
  return SUBSYSTEMS.flatMap((subsystem) => {
    const own = keys
      .filter((key) => key.subsystem === subsystem)
      .sort((a, b) => a.lamportTime - b.lamportTime);
    const next = newKey(subsystem, (own.at(-1)?.lamportTime ?? 0) + 1, random);
    return [...own.slice(-(KEYS_OF_EACH - 1)), next];
  });
}

function newKey(subsystem: NetworkKey['subsystem'], lamportTime: number, random: RandomBytes): NetworkKey {
  return { subsystem, key: Buffer.from(random(KEY_BYTES)).toString('base64'), lamportTime };
}
