import type { Route } from '../context.ts';
import { createNetwork } from './create.ts';
import { pruneNetworks } from './prune.ts';
import { inspectNetwork, listNetworks } from './read.ts';
import { removeNetwork } from './remove.ts';

/** The networks of the swarm and of the local engine as one; joining and leaving them is the engine's. */
export const networkRoutes: readonly Route[] = [
  { method: 'POST', pattern: '/networks/create', at: 'asked', handler: createNetwork },
  { method: 'POST', pattern: '/networks/prune', at: 'asked', handler: pruneNetworks },
  { method: 'GET', pattern: '/networks', handler: listNetworks },
  { method: 'GET', pattern: '/networks/{id}', handler: inspectNetwork },
  { method: 'DELETE', pattern: '/networks/{id}', at: 'asked', handler: removeNetwork },
];
