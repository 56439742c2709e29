import type { Place } from './rules/types.ts';

/** A place's name for maps. */
export function placeKey(place: Place): string {
  switch (place.kind) {
    case 'host':
    case 'mesh':
      return place.kind;
    case 'network':
      return `network/${place.networkId}`;
    case 'task':
      return `task/${place.taskId}`;
  }
}

export function isTaskKey(placeKeyText: string): boolean {
  return placeKeyText.startsWith('task/');
}

/** Network and service, for maps: a service has endpoints on each of its networks. */
export function serviceKey(service: { readonly networkId: string; readonly serviceId: string }): string {
  return `${service.networkId}/${service.serviceId}`;
}

/** A place in words; a network by its name where it is known. */
export function placeName(place: Place, networks: ReadonlyMap<string, { readonly name: string }>): string {
  switch (place.kind) {
    case 'host':
      return 'this host';
    case 'mesh':
      return 'the routing mesh';
    case 'network':
      return `network ${networks.get(place.networkId)?.name ?? place.networkId}`;
    case 'task':
      return `task ${place.taskId}`;
  }
}
