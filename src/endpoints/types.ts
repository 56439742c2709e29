import type { ConnectRouter } from '@connectrpc/connect';
import type { BalancerReport, DoctorFinding, EndpointsSource, Task } from '../model/index.ts';

/** Told by the dispatcher which tasks it holds back. */
export interface StopGate {
  /**
   * Whether the node of a task that is to stop may be told so: no balancer sends it new connections any more, or has had
   * its time to hear of it. True at once where nothing balances to it.
   */
  mayStop(task: Task): boolean;
  /** Calls the listener with each task of which `mayStop` has become true; returns how to stop that. */
  onMayStop(listener: (task: { readonly id: string; readonly nodeId: string }) => void): () => void;
}

/** The managers' side: who answers for which service, told to every node's balancer as far as it concerns it. */
export interface Endpoints extends StopGate {
  /** Adds the service of the swarm's port. Calls are refused while it does not run. */
  routes(router: ConnectRouter): void;
  /** Follows the store until the signal fires. */
  run(signal: AbortSignal): Promise<void>;
  /** For the balancer of this very host. */
  sourceOf(nodeId: string): EndpointsSource;
  /** What the node's balancer said last; undefined where none follows: the node runs no swarmd. */
  reportOf(nodeId: string): BalancerReport | undefined;
  /** Asks the node's balancer. Undefined where none follows; throws `timeout` where it does not answer in time. */
  ask(nodeId: string, serviceId: string, signal: AbortSignal): Promise<readonly DoctorFinding[] | undefined>;
}
