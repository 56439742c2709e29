import type { Network } from '../model/index.ts';
import type { View } from '../store/index.ts';
import type { ServicePlaces } from './service-places.ts';

/** What planning reads. */
export interface Reader {
  readonly get: View['get'];
  /** The ingress network, if there is one. */
  ingress(): Network | undefined;
  /** Where services have tasks, and what those were told. */
  readonly places: ServicePlaces;
  /** How many nodes there are. */
  nodeCount(): number;
  /** Why `kind/id` waits; '' where there is nothing to say. */
  reason(item: string): string;
}

/** What comes of planning for one row: something to write, something to wait for, or neither. */
export type Plan<T> = { readonly kind: 'write'; readonly value: T } | Wait | { readonly kind: 'nothing' };

export interface Wait {
  readonly kind: 'wait';
  /** What it waits for. */
  readonly key: string;
  /** For the user; '' where there is nothing to say. */
  readonly why: string;
}

export const NOTHING: { readonly kind: 'nothing' } = { kind: 'nothing' };

export function waitFor(key: string, why = ''): Wait {
  return { kind: 'wait', key, why };
}

/** A free address of a network, or the network's allocation. */
export const networkKey = (id: string): string => `network/${id}`;
/** The same for a node, whose turn does not come after that of tasks which have to leave it an address. */
export const nodePlaceKey = (id: string): string => `node-place/${id}`;
/** An address of a network that its user has named: others that are free are of no use. */
export const namedAddressKey = (id: string): string => `named-address/${id}`;
/** The allocation of a service. */
export const serviceKey = (id: string): string => `service/${id}`;
/** A subnet that is given back. */
export const SUBNETS = 'subnets';
/** A VXLAN id that is given back. */
export const VXLAN_IDS = 'vxlan-ids';
/** A published port that is given back. */
export const PORTS = 'ports';
/** An ingress network. */
export const INGRESS = 'ingress';
