import type { ConnectRouter } from '@connectrpc/connect';
import type { BalancerReport, DoctorFinding, EndpointsSource, StopGate } from '../model/index.ts';

/** How long balancers are waited for. All may be left out. */
export interface EndpointsWaits {
  /** How long a task is held back at most before its node is told to stop it. */
  readonly stopMaxMs: number;
  /** From the last balancer's word to that: for requests that are under way. */
  readonly lingerMs: number;
  /** For the answer to a question. */
  readonly answerMs: number;
  /** How long a balancer may leave an update unread before its stream ends. */
  readonly unreadMs: number;
}

export interface EndpointsOptions {
  readonly waits?: Partial<EndpointsWaits>;
}

/** The managers' side: who answers for which service, told to every node's balancer as far as it concerns it. */
export interface Endpoints extends StopGate {
  /** Adds the service of the swarm's port. Calls are refused while it does not run. */
  routes(router: ConnectRouter): void;
  /** Follows the store until the signal fires. Runs again after it ended. */
  run(signal: AbortSignal): Promise<void>;
  /** For the balancer of this very host. */
  sourceOf(nodeId: string): EndpointsSource;
  /** What the node's balancer said last; undefined where none follows, or none has said anything yet. */
  reportOf(nodeId: string): BalancerReport | undefined;
  /**
   * Asks the node's balancer. Undefined where none follows; throws `timeout` where it does not answer in time, `unavailable`
   * where it has too many questions to answer.
   */
  ask(nodeId: string, serviceId: string, signal: AbortSignal): Promise<readonly DoctorFinding[] | undefined>;
}
