import type { Times } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { BalancerMode, DoctorFinding, EndpointsSource } from '../model/index.ts';

/**
 * What of its host's engine a balancer needs to know; asked anew whenever it may have changed. Rejects while
 * the engine is down.
 */
export interface EngineView {
  /** The running containers of these tasks, with the files of their network namespaces. */
  sandboxes(
    taskIds: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly { readonly taskId: string; readonly path: string }[]>;
}

export interface BalancerOptions {
  readonly nodeId: string;
  readonly source: EndpointsSource;
  readonly engine: EngineView;
  /** `auto` leaves the work to the engine where the kernel has IPVS. */
  readonly mode: 'auto' | 'nftables' | 'off';
  readonly times: Times;
  readonly log: Logger;
}

/** A node's balancer. What it has put into the kernel stays when it stops: the data path needs no process. */
export interface Balancer {
  /** Follows the source, and keeps what it asks for in force, until the signal fires. */
  run(signal: AbortSignal): Promise<void>;
  /** Looks at what should be there and at what is, for one service ('' for the node alone). */
  examine(serviceId: string, signal: AbortSignal): Promise<readonly DoctorFinding[]>;
  /** The id of a service that it has been told of, by its id or its name. */
  serviceId(service: string): string | undefined;
  /** What it does now. */
  readonly mode: BalancerMode;
}
