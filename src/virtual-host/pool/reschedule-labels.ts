import { asArray } from '../../base/json.ts';

/** The label by which a container is known again when its node comes back: a copy made elsewhere has the same. */
export const SWARM_ID_LABEL = 'com.docker.swarm.id';

/** A JSON array with at most one policy: `on-node-failure` or `off`. */
export const POLICIES_LABEL = 'com.docker.swarm.reschedule-policies';

/** Whether a container with these labels is to be made again elsewhere when its node is lost. */
export function movesOnFailure(labels: Readonly<Record<string, string>>): boolean {
  const text = labels[POLICIES_LABEL];
  if (text === undefined) return false;
  try {
    return asArray(JSON.parse(text) as unknown).includes('on-node-failure');
  } catch {
    // Somebody else's label: create refuses it.
    return false;
  }
}

/**
 * What a container and the copies made of it have in common. One without a swarm id, made directly at an engine, has
 * its own id for one, and gives it to its copies.
 */
export function swarmIdOf(container: {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}): string {
  return container.labels[SWARM_ID_LABEL] ?? container.id;
}
