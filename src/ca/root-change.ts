import { SwarmError } from '../base/errors.ts';
import type { RootCa } from '../model/index.ts';
import { crossSign } from './cross-sign.ts';
import { readGivenRoot } from './given-root.ts';
import { newJoinToken } from './join-token.ts';
import { createRootCa, type RootPair } from './root-ca.ts';

/** What `docker swarm ca --rotate` says; PEM, '' where nothing is given. */
export interface RootWish {
  readonly certPem: string;
  readonly keyPem: string;
  /** Another number than the last one asks for a new root where none is given. */
  readonly forceRotate: number;
}

/**
 * The swarm's root as a user wants it: the same object where nothing changes, or one that is being replaced. As SwarmKit: a
 * rotation that is under way is replaced by another one, ended by giving the present root, and left alone by giving the
 * one that is to come. Throws `invalid` for a root that is no good.
 */
export async function planRootChange(rootCa: RootCa, wish: RootWish, nowMs: number): Promise<RootCa> {
  const { certPem, keyPem, forceRotate } = wish;
  if (certPem === '' && keyPem === '') {
    if (forceRotate === rootCa.lastForcedRotation) return rootCa;
    return beginRotation(rootCa, await createRootCa(nowMs), forceRotate);
  }
  if (certPem === '')
    throw new SwarmError(
      'invalid',
      'if a signing CA key is provided, the signing CA cert must also be provided',
    );
  if (keyPem === '')
    throw new SwarmError(
      'invalid',
      'the key of the desired CA certificate is missing, and external CAs are not supported',
    );
  const given = await readGivenRoot({ certPem, keyPem }, rootCa, nowMs);
  const { rotation, ...present } = rootCa;
  if (given.certPem === rootCa.certPem)
    return { ...present, keyPem: given.keyPem, lastForcedRotation: forceRotate };
  if (given.certPem === rotation?.certPem)
    return {
      ...rootCa,
      rotation: { ...rotation, keyPem: given.keyPem },
      lastForcedRotation: forceRotate,
    };
  return beginRotation(rootCa, given, forceRotate);
}

async function beginRotation(rootCa: RootCa, next: RootPair, forceRotate: number): Promise<RootCa> {
  const crossPem = await crossSign(next.certPem, rootCa);
  return { ...rootCa, rotation: { ...next, crossPem }, lastForcedRotation: forceRotate };
}

/** The root when all nodes have followed: the new one, with new tokens, since tokens name their root. */
export function finishedRotation(rootCa: RootCa): RootCa {
  const { rotation, lastForcedRotation } = rootCa;
  if (!rotation) return rootCa;
  const { certPem, keyPem, crossPem } = rotation;
  return {
    certPem,
    keyPem,
    joinTokens: { worker: newJoinToken(certPem), manager: newJoinToken(certPem) },
    lastForcedRotation,
    // One is enough: who has not followed to this root holds up the next rotation.
    bridgePem: crossPem,
  };
}
