import type { RootCa } from '../model/index.ts';
import type { RootPair } from './root-ca.ts';

/** What is signed with, and what stands behind it; PEM. */
export interface RootSigner extends RootPair {
  /** What a worker shows after its certificate. */
  readonly workerChain: string;
  /** What a manager shows: nodes that trust the root before this one still, because they were away, must know it. */
  readonly managerChain: string;
}

/** A root as far as signing goes. */
export type SigningRoot = RootPair & Pick<RootCa, 'rotation' | 'bridgePem'>;

/**
 * Who signs now. While a root is being replaced it is the new one's key, certified by the present root, which everybody
 * trusts till then: SwarmKit's way, so that nobody has to trust two.
 */
export function signerOf({ certPem, keyPem, rotation, bridgePem }: SigningRoot): RootSigner {
  if (!rotation) return { certPem, keyPem, workerChain: certPem, managerChain: bridgePem ?? certPem };
  const { crossPem } = rotation;
  return {
    certPem: rotation.certPem,
    keyPem: rotation.keyPem,
    workerChain: crossPem,
    managerChain: crossPem + (bridgePem ?? ''),
  };
}
