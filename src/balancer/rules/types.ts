import type { BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';

/** A network namespace that takes part: the host's own, the mesh's sandbox, a network's load-balancer sandbox, a task's. */
export type Place =
  | { readonly kind: 'host' }
  | { readonly kind: 'mesh' }
  | { readonly kind: 'network'; readonly networkId: string }
  | { readonly kind: 'task'; readonly taskId: string };

/** What the rules have to know of the host. */
export interface HostFacts {
  readonly nodeId: string;
  /** The mesh sandbox's address on docker_gwbridge: `172.18.0.2`; '' as long as there is none. */
  readonly meshAddress: string;
  /** The same with its prefix, which tells the sources that are on that bridge too: `172.18.0.2/16`; '' likewise. */
  readonly meshPrefix: string;
  /** Published ports that something on the host listens on: the mesh leaves them alone. As `tcp/8080`. */
  readonly takenPorts: ReadonlySet<string>;
}

/** What one service needs in one place. Units of a place are independent of one another; a key is theirs for good. */
export interface Unit {
  readonly place: Place;
  readonly key: string;
  /** Equal texts are equal units: what is in force is compared by it. */
  readonly fingerprint: string;
  /** Lines of nft that add the unit, and that remove it again, where the frame is in force. Either may be said twice. */
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** What the two are made of. */
  readonly parts: readonly Part[];
  /** Addresses (`10.0.9.2`) that the place's sandbox answers for itself while the unit is in force. */
  readonly addresses: readonly string[];
}

/** A chain with its rules, or an element of a map or set. What one adds replaces what was there by the same id. */
export interface Part {
  readonly id: string;
  readonly add: readonly string[];
  /** Frees what it leads to, so that this can be removed before the part is added anew. */
  readonly free: readonly string[];
  readonly remove: readonly string[];
}

/** What a place has as long as it takes part, whatever the services. */
export interface Frame {
  readonly place: Place;
  readonly fingerprint: string;
  /** Lines of nft that make the table anew, empty of units. */
  readonly nft: readonly string[];
  /** Kernel settings, as paths below /proc/sys and values. */
  readonly sysctls: readonly (readonly [path: string, value: string])[];
  /** Arguments of `ip`: rules and routes. `undo` may fail. */
  readonly routes: readonly { readonly add: readonly string[]; readonly undo: readonly string[] }[];
}

/** Connections to be forgotten in a place, so that they are reset or go elsewhere. */
export interface Flow {
  readonly place: Place;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** The task's address, where the connections were sent; '' for any. */
  readonly backend: string;
  /** Where clients had sent them: a virtual IP; '' for any. */
  readonly destination: string;
  /** To which port; 0 for any. */
  readonly port: number;
}

/** What planning is made from. */
export interface Wish {
  readonly facts: HostFacts;
  readonly networks: ReadonlyMap<string, BalancedNetwork>;
}

/**
 * The pure half of the balancer: from endpoints to rules. Nothing here grows with the number of services when one of them changes.
 */
export interface Rules {
  /** The table that all of it is in, one of this name a place: `ip skep`. Whoever applies it keeps the chain `seal` there. */
  readonly table: string;
  /**
   * The places that a host has, with their frames; task places are those of this node's tasks that keep clients' addresses.
   * One that is not named any more is left as it is, though: connections that are open go on through it, and it ends
   * with the task.
   */
  frames(wish: Wish, services: Iterable<ServiceEndpoints>): readonly Frame[];
  /** What one service needs, in all places. */
  units(wish: Wish, service: ServiceEndpoints): readonly Unit[];
  /**
   * The lines that make `after` of `before` (undefined: it was not, or is not to be, there), no more than what differs.
   * Where several units of a place change in one transaction, all that is removed goes before all that is added: an
   * address or a port may go from one service to another.
   */
  readonly change: (
    before: Unit | undefined,
    after: Unit | undefined,
  ) => { readonly remove: readonly string[]; readonly add: readonly string[] };
  /** What is to be forgotten when a service goes from `before` to `after` (undefined: it was, or is, not there). */
  flows(
    wish: Wish,
    before: ServiceEndpoints | undefined,
    after: ServiceEndpoints | undefined,
  ): readonly Flow[];
}
