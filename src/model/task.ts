import type { Annotations, Driver, GenericResource, Meta } from './common.ts';
import type { NetworkAttachment } from './network.ts';
import type { Endpoint, PortConfig, TaskSpec } from './service.ts';
import type { TaskState } from './task-state.ts';

export interface TaskStatus {
  readonly state: TaskState;
  /** When the state was reached, by the clock of who saw it. */
  readonly timestampMs: number;
  readonly message: string;
  readonly err: string;
  readonly container?: { readonly id: string; readonly pid: number; readonly exitCode: number };
  /** Host ports as the engine bound them. */
  readonly ports: readonly PortConfig[];
  /** The manager that wrote it last, and when. */
  readonly appliedBy: string;
  readonly appliedAtMs: number;
}

/** One container's worth of a service, or a place on a network for a container that is no task. */
export interface Task {
  readonly id: string;
  readonly meta: Meta;
  readonly serviceId: string;
  /** The id by which its engine is to know its service, where that is not the service's own (`otherServiceId`). */
  readonly engineServiceId?: string;
  /** From 1, in jobs too; 0 for the tasks of a global service, which are one a node. */
  readonly slot: number;
  /** '' until it is placed. */
  readonly nodeId: string;
  /** Its own name and labels; the name is '' for tasks of services. */
  readonly annotations: Annotations;
  readonly serviceAnnotations: Annotations;
  /** Shared with other tasks of the same service and version; never changed. */
  readonly spec: TaskSpec;
  readonly specVersion: number;
  readonly status: TaskStatus;
  readonly desiredState: TaskState;
  readonly networks: readonly NetworkAttachment[];
  readonly endpoint?: Endpoint;
  readonly logDriver?: Driver;
  readonly assignedGenericResources: readonly GenericResource[];
  readonly jobIteration?: number;
  /**
   * The task whose place it took, and how long it was held back for a failure of that (0 where nothing failed). While its
   * desired state is `ready` it waits for both: that time, from when it was made, and the end of the other.
   */
  readonly replaces?: { readonly taskId: string; readonly delayMs: number };
}
