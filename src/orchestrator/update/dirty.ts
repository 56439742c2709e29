import { sameValue } from '../../base/same-value.ts';
import {
  stateRank,
  type EndpointSpec,
  type Node,
  type Placement,
  type Service,
  type Task,
  type TaskSpec,
} from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { isWanted } from '../wanted.ts';

/** In what a task's spec differs from its service's. */
interface Difference {
  readonly placement: boolean;
  /** What the agent shows a registry: of no account once the image is there. */
  readonly registryAuth: boolean;
  readonly anything: boolean;
}

const NONE: Difference = { placement: false, registryAuth: false, anything: false };

/**
 * Tells which tasks are not as their service wants them, for one version of it. Tasks of one version share their spec, so
 * that one comparison does for them all.
 */
export class DirtyCheck {
  readonly #service: Service;
  readonly #view: View;
  readonly #placed: (node: Node, placement: Placement | undefined) => boolean;
  readonly #differences = new Map<TaskSpec, Difference>();

  /** `placed` says whether a node satisfies a placement. */
  constructor(
    service: Service,
    view: View,
    placed: (node: Node, placement: Placement | undefined) => boolean,
  ) {
    this.#service = service;
    this.#view = view;
    this.#placed = placed;
  }

  /**
   * SwarmKit's rules: another version is not enough, something must differ; placement does not count where the task's
   * node satisfies the new one, the registry's credentials not where the task has its image.
   */
  isDirty(task: Task): boolean {
    const service = this.#service;
    if (task.specVersion === service.specVersion) return false;
    const { anything, placement, registryAuth } = this.#differenceOf(task.spec);
    if (anything || !sameValue(whole(service.spec.endpoint), whole(task.endpoint?.spec))) return true;
    if (registryAuth && !hasImage(task)) return true;
    if (!placement) return false;
    const node = task.nodeId === '' ? undefined : this.#view.get('node', task.nodeId);
    return !node || !this.#placed(node, service.spec.task.placement);
  }

  #differenceOf(spec: TaskSpec): Difference {
    const known = this.#differences.get(spec);
    if (known) return known;
    const difference = differenceOf(this.#service.spec.task, spec);
    this.#differences.set(spec, difference);
    return difference;
  }
}

function differenceOf(wanted: TaskSpec, has: TaskSpec): Difference {
  if (wanted === has) return NONE;
  return {
    placement: !sameValue(placementOf(wanted), placementOf(has)),
    registryAuth: wanted.container?.registryAuth !== has.container?.registryAuth,
    anything: !sameValue(rest(wanted), rest(has)),
  };
}

/** No placement and an empty one are the same. */
function placementOf({ placement }: TaskSpec): Placement {
  return placement ?? { constraints: [], spreadOver: [], maxReplicas: 0, platforms: [] };
}

function rest(spec: TaskSpec): unknown {
  return {
    ...spec,
    placement: undefined,
    container: spec.container && { ...spec.container, registryAuth: undefined },
  };
}

/** Whoever asks for no endpoint gets Docker's: virtual addresses, no ports. */
function whole(endpoint: EndpointSpec | undefined): EndpointSpec {
  return endpoint ?? { mode: 'vip', ports: [] };
}

function hasImage(task: Task): boolean {
  const rank = stateRank(task.status.state);
  return isWanted(task) && rank >= stateRank('ready') && rank <= stateRank('running');
}
