import type { Endpoints } from '../endpoints/index.ts';
import { messageOf } from '../base/errors.ts';
import type { WorkerPlace } from './balancer-memory.ts';
import { engineSwarm, type EngineSwarm } from './engine-swarm.ts';
import type { LocalEngine } from './local-engine.ts';
import { readNodeCertificate, type NodeCertificate } from './node-certificate.ts';
import type { ManagedSwarm } from './managed-swarm.ts';

/** The node that this host is, as far as it shows now. */
export type HostNode =
  | {
      readonly kind: 'manager';
      readonly clusterId: string;
      readonly nodeId: string;
      readonly endpoints: Endpoints;
    }
  | { readonly kind: 'worker'; readonly place: WorkerPlace; readonly certificate: NodeCertificate }
  /** In no swarm. */
  | { readonly kind: 'outside' }
  /** The engine is down, or about to join or to leave; `trouble` is what its user should hear of, or ''. */
  | { readonly kind: 'unknown'; readonly trouble: string };

/** A node of a swarm. */
export type MemberNode = Extract<HostNode, { kind: 'manager' | 'worker' }>;

export interface HostFacts {
  readonly swarm: ManagedSwarm | undefined;
  readonly engine: LocalEngine;
  /** What was the case last, while the engine can't be asked. */
  readonly last: WorkerPlace | undefined;
}

/** Finds out which node of which swarm this host is. Never rejects. */
export async function hostNode({ swarm, engine, last }: HostFacts, signal: AbortSignal): Promise<HostNode> {
  if (swarm?.isAlone === true) {
    const cluster = swarm.store.view.cluster();
    const endpoints = swarm.manager.leading?.endpoints;
    if (!cluster || !endpoints) return UNKNOWN;
    return { kind: 'manager', clusterId: cluster.id, nodeId: swarm.local.nodeId, endpoints };
  }
  let found: EngineSwarm;
  try {
    found = await engineSwarm(engine, signal);
  } catch {
    // What it balanced goes on without it.
    return last ? workerAt(last.dataRoot, last.nodeId, last.managers) : UNKNOWN;
  }
  const { state, nodeId, managers, dataRoot } = found;
  if (state === 'inactive') return { kind: 'outside' };
  if (state !== 'active' || nodeId === '') return UNKNOWN;
  // An agent that has just started knows nobody for a moment.
  const known = managers.length > 0 || last?.nodeId !== nodeId ? managers : last.managers;
  return workerAt(dataRoot, nodeId, known);
}

function workerAt(dataRoot: string, nodeId: string, managers: readonly string[]): HostNode {
  try {
    const certificate = readNodeCertificate(dataRoot);
    // The engine has just joined another swarm, and says so in a moment.
    if (certificate.nodeId !== nodeId) return UNKNOWN;
    const { clusterId } = certificate;
    return { kind: 'worker', place: { clusterId, nodeId, managers, dataRoot }, certificate };
  } catch (error) {
    return { kind: 'unknown', trouble: `this host's balancer can't join the swarm: ${messageOf(error)}` };
  }
}

const UNKNOWN: HostNode = { kind: 'unknown', trouble: '' };
