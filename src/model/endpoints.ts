import type { PortProtocol } from './service.ts';
import type { Task } from './task.ts';

/** A task that answers for a service on one network. */
export interface Backend {
  readonly taskId: string;
  readonly nodeId: string;
  /** Where its node's agent calls from, as the managers see it; '' where that is not known. */
  readonly nodeAddress: string;
  /** On that network, without its prefix: `10.0.9.11`. */
  readonly address: string;
  /** One that is `leaving` gets no new connections; those that are open go on. One that has ended is not listed at all. */
  readonly state: 'serving' | 'leaving';
  /** Its node has said that the task answers clients at their own address: only then may an entry node keep that address. */
  readonly keepsClients: boolean;
}

/** A port that every node answers for a service. */
export interface MeshPort {
  readonly protocol: PortProtocol;
  readonly published: number;
  readonly target: number;
}

/** Who answers for one service on one network. */
export interface ServiceEndpoints {
  readonly networkId: string;
  readonly serviceId: string;
  readonly name: string;
  /** Without its prefix; '' where it has none (`dnsrr`). */
  readonly virtualIp: string;
  /** On the ingress network: what it publishes there. Elsewhere empty. */
  readonly ports: readonly MeshPort[];
  /** Connections through the mesh are to keep their client's address (the label MESH_CLIENT_LABEL). */
  readonly keepClients: boolean;
  readonly backends: readonly Backend[];
}

/** An overlay network that a node takes part in. */
export interface BalancedNetwork {
  readonly id: string;
  readonly name: string;
  readonly ingress: boolean;
  /** The node's own, its load balancer's: `10.0.9.250/24`. */
  readonly address: string;
  readonly subnets: readonly string[];
  /** 0 where the network's options do not say. */
  readonly mtu: number;
  /** Its traffic between hosts is encrypted, by the engines. */
  readonly encrypted: boolean;
  /**
   * Of the ingress network, for a node that has tasks which keep their clients' addresses: every node's address there,
   * where clients come in. Elsewhere empty.
   */
  readonly entries: readonly { readonly nodeId: string; readonly address: string }[];
}

/** What has changed of what a node's balancer is to know. */
export interface EndpointsUpdate {
  /** Grows with every update of one source; a report names the one that is in force. */
  readonly version: number;
  /** This is everything: what it does not name is gone. */
  readonly full: boolean;
  readonly networks: readonly BalancedNetwork[];
  /** With all services on them. */
  readonly goneNetworks: readonly string[];
  /** Each as it is now, whole. */
  readonly services: readonly ServiceEndpoints[];
  readonly goneServices: readonly { readonly networkId: string; readonly serviceId: string }[];
  /** To be examined and answered. */
  readonly questions: readonly DoctorQuestion[];
}

/**
 * Who balances on a node: `nftables` by swarmd, `engine` where the kernel has IPVS, `none` where neither does.
 */
export type BalancerMode = 'nftables' | 'engine' | 'none';

/** What a node's balancer says of itself. */
export interface BalancerReport {
  /** The newest update that is in force; 0 before the first. */
  readonly version: number;
  readonly mode: BalancerMode;
  /** Faults that its users should know, in words; empty where all is well. */
  readonly problems: readonly string[];
  /** Published ports that this node does not answer because something on its host listens there. */
  readonly takenPorts: readonly MeshPortRef[];
  /** Tasks of this node that answer clients at their own address. */
  readonly keepsClients: readonly string[];
}

export interface MeshPortRef {
  readonly protocol: PortProtocol;
  readonly published: number;
}

/** What `swarm network doctor` asks a node. */
export interface DoctorQuestion {
  readonly id: string;
  /** '' for the node alone. */
  readonly serviceId: string;
}

export interface DoctorFinding {
  readonly verdict: 'ok' | 'warning' | 'fault';
  /** What was looked at: `rules of my-net`. */
  readonly subject: string;
  /** What was found, and for a fault what to do. */
  readonly text: string;
}

/** A node that leaves balancing to its engine, or balances nothing, needs the doctor's questions alone. */
export type EndpointsNeeds = 'all' | 'questions';

/** Where a balancer learns what to do: its manager's process itself, or a manager over the swarm's port. */
export interface EndpointsSource {
  /** First everything, then what changes; ends with the signal only. */
  watch(signal: AbortSignal, needs?: EndpointsNeeds): AsyncIterable<EndpointsUpdate>;
  /** Says what is in force. Never rejects: what can't be said now is said with the next. */
  report(report: BalancerReport): Promise<void>;
  /** Answers a question. Never rejects. */
  answer(questionId: string, findings: readonly DoctorFinding[]): Promise<void>;
}

/** Says when the node of a task that is to stop may be told so. */
export interface StopGate {
  /**
   * Whether no balancer sends the task new connections any more, or each has had its time to hear of it. True at once
   * where nothing balances to it.
   */
  mayStop(task: Task): boolean;
  /** Calls the listener with each task of which `mayStop` has become true; returns how to stop that. */
  onMayStop(listener: (task: { readonly id: string; readonly nodeId: string }) => void): () => void;
}

/** On a service, `true` lets its published ports keep the addresses of clients. */
export const MESH_CLIENT_LABEL = 'skep.mesh.keep-client-address';
