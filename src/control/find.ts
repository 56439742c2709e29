import { SwarmError } from '../base/errors.ts';
import { slotNumber, type Kind, type Objects, type Task } from '../model/index.ts';
import type { View } from '../store/index.ts';

/** Kinds that a user names. */
export type FoundKind = Exclude<Kind, 'cluster' | 'seal'>;

/**
 * What a user means by `reference`, as Docker reads it: an id, else an exact name, else the beginning of one id. Throws
 * `not-found`, or `invalid` where several fit.
 */
export function findOne<K extends FoundKind>(view: View, kind: K, reference: string): Objects[K] {
  const exact = view.get(kind, reference);
  if (exact) return exact;
  const named = byName(view, kind, reference);
  // An empty beginning would fit all.
  const found = named.length > 0 || reference === '' ? named : byPrefix(view, kind, reference);
  const [one] = found;
  if (!one) throw new SwarmError('not-found', `${kind} ${reference} not found`);
  if (found.length > 1)
    throw new SwarmError('invalid', `${kind} ${reference} is ambiguous (${found.length} matches found)`);
  return one;
}

function byName<K extends FoundKind>(view: View, kind: K, name: string): Objects[K][] {
  if (kind === 'node') {
    return matching(view, kind, (node) => (node as Objects['node']).description?.hostname === name);
  }
  if (kind === 'task') return matching(view, kind, (task) => taskName(task as Task) === name);
  const object = view.byName(kind, name);
  return object ? [object as Objects[K]] : [];
}

function byPrefix<K extends FoundKind>(view: View, kind: K, prefix: string): Objects[K][] {
  return matching(view, kind, ({ id }) => id.startsWith(prefix));
}

function matching<K extends FoundKind>(
  view: View,
  kind: K,
  fits: (object: Objects[K]) => boolean,
): Objects[K][] {
  const found: Objects[K][] = [];
  for (const object of view.all(kind)) if (fits(object)) found.push(object);
  return found;
}

/** `web.1.<id>`, or with the node's id where there are no slots: the name of a task, and of its container. */
export function taskName(task: Task): string {
  const { id, annotations, serviceAnnotations, serviceId, nodeId } = task;
  if (annotations.name !== '') return annotations.name;
  return `${serviceAnnotations.name || serviceId}.${slotNumber(task) || nodeId}.${id}`;
}
