import type { BalancerMode, MeshPortRef } from '../model/index.ts';

/**
 * Who balances on a node, as far as is known: `none` is certain; `unlikely` is a plain engine where this manager's own kernel
 * has no IPVS, so that the node's probably has none either; `unknown` is one that nothing was found out about.
 */
export type Balancing = BalancerMode | 'unlikely' | 'unknown';

/** What is known of how nodes answer virtual IPs and published ports. */
export interface MeshKnowledge {
  balancing(nodeId: string): Balancing;
  /** Resolves when the nodes that have just come had their time to say who balances there: within seconds, mostly at once. */
  settled(): Promise<void>;
  /** Where something else on a node's host listens on one of these ports, as far as is known now. Never rejects. */
  taken(ports: readonly MeshPortRef[]): Promise<readonly TakenPort[]>;
}

export interface TakenPort extends MeshPortRef {
  readonly nodeId: string;
  /** Who listens there: `nginx (process 812)`; '' where that is not known. */
  readonly by: string;
}
