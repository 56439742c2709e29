import { exactNumber } from '../../base/exact-json.ts';
import type { Node, Service } from '../../model/index.ts';
import type { StoreEvent } from '../../store/index.ts';

/** What happened to an object of the swarm, as `docker events` tells it. */
export interface SwarmEvent {
  readonly Type: 'service' | 'node' | 'secret' | 'config' | 'network';
  readonly Action: 'create' | 'update' | 'remove';
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'swarm';
  /** Seconds. */
  readonly time: number;
  /** A number that JavaScript's can't hold; see digitsOf. */
  readonly timeNano: unknown;
}

/** The event of a change; undefined for what Docker tells nobody of. */
export function swarmEvent(change: StoreEvent, nowMs: number): SwarmEvent | undefined {
  const { kind, type, object } = change;
  if (kind === 'task' || kind === 'cluster' || kind === 'seal') return undefined;
  const atMs =
    type === 'remove' ? nowMs : type === 'create' ? object.meta.createdAtMs : object.meta.updatedAtMs;
  return {
    Type: kind,
    Action: type,
    Actor: { ID: object.id, Attributes: attributesOf(change) },
    scope: 'swarm',
    time: Math.floor(atMs / 1000),
    timeNano: exactNumber(`${Math.trunc(atMs)}000000`),
  };
}

function attributesOf(change: StoreEvent): Record<string, string> {
  const { kind, object } = change;
  switch (kind) {
    case 'node':
      return {
        name: nodeName(object),
        ...(change.type === 'update' ? nodeChanges(object, change.previous) : {}),
      };
    case 'service':
      return {
        name: object.spec.annotations.name,
        ...(change.type === 'update' ? serviceChanges(object, change.previous) : {}),
      };
    case 'network':
    case 'secret':
    case 'config':
      return { name: object.spec.annotations.name };
    case 'task':
    case 'cluster':
    case 'seal':
      return {};
  }
}

function nodeName({ spec, description }: Node): string {
  return spec.annotations.name || (description?.hostname ?? '');
}

function nodeChanges(now: Node, before: Node): Record<string, string> {
  return {
    ...changed('availability', before.spec.availability, now.spec.availability),
    ...changed('role', before.role, now.role),
    ...changed('state', before.status.state, now.status.state),
  };
}

function serviceChanges(now: Service, before: Service): Record<string, string> {
  return {
    ...changed('image', before.spec.task.container?.image, now.spec.task.container?.image),
    ...changed('replicas', replicasOf(before), replicasOf(now)),
    ...changed('updatestate', before.updateStatus?.state, now.updateStatus?.state),
  };
}

function replicasOf({ spec }: Service): string | undefined {
  return spec.mode.kind === 'replicated' ? String(spec.mode.replicas) : undefined;
}

function changed(what: string, before: string | undefined, now: string | undefined): Record<string, string> {
  if (before === now || now === undefined) return {};
  return { ...(before === undefined ? {} : { [`${what}.old`]: before }), [`${what}.new`]: now };
}
