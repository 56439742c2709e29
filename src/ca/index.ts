/** The door of trust: who is in the swarm, and by which certificate. */
export { createCaServices, type CaServices } from './services.ts';
export { createCluster, DEFAULT_CLUSTER_SPEC, rotateJoinToken, type ClusterOptions } from './new-cluster.ts';
export { createRootCa, type RootPair } from './root-ca.ts';
export { fetchRoot } from './fetch-root.ts';
export { parseJoinToken, sameSecret, type JoinToken } from './join-token.ts';
export { issueManagerCertificate, validityOf } from './node-certificate.ts';
export { KEY_ROTATION_MS, runKeyRotation } from './key-rotation.ts';
export { OneTimeTokens } from './one-time-tokens.ts';
export { removeNode } from './remove-node.ts';
export { planRootChange, type RootWish } from './root-change.ts';
export { runRootRotation } from './root-rotation.ts';
export { rootIssuer } from './root-issuer.ts';
export { runManagerRenewal, type ManagerRenewal } from './manager-renewal.ts';
