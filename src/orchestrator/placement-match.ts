import type { Node, Placement } from '../model/index.ts';
import { hasPlatform, nodeMatches, parseConstraint, type Constraint } from '../scheduler/index.ts';

const NEVER = 'never';
/** Placements are shared by the tasks of a version, and never changed. */
const read = new WeakMap<Placement, readonly Constraint[] | typeof NEVER>();

/** Whether a node satisfies the constraints and platforms of a service; no node does what can't be read. */
export function satisfies(node: Node, placement: Placement | undefined): boolean {
  return (
    meetsConstraints(node, placement) && (placement === undefined || hasPlatform(node, placement.platforms))
  );
}

/** The same of the constraints alone. */
export function meetsConstraints(node: Node, placement: Placement | undefined): boolean {
  if (!placement) return true;
  let constraints = read.get(placement);
  if (!constraints) {
    constraints = parsed(placement);
    read.set(placement, constraints);
  }
  return constraints !== NEVER && nodeMatches(constraints, node);
}

function parsed({ constraints }: Placement): readonly Constraint[] | typeof NEVER {
  try {
    return constraints.map(parseConstraint);
  } catch {
    return NEVER; // whoever stored it should have refused it
  }
}
