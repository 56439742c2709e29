import { isVtep } from './plan-peers.ts';

/** Nodes, and hosts, that are remembered at most; those that were learnt first are forgotten. */
const MOST = 10_000;

/**
 * At which address other hosts take what overlays carry. The engines' own entries tell it while they are there; where none was
 * seen, it is the address at which the managers see the node.
 */
export class HostAddresses {
  /** By node: what the engines sent to, while the managers saw the node at `told`. */
  readonly #seen = new Map<string, { readonly vtep: string; readonly told: string }>();
  readonly #hosts = new Set<string>();
  /** Grows with everything that is learnt. */
  revision = 0;

  /** All that are known to be of this swarm. */
  get all(): ReadonlySet<string> {
    return this.#hosts;
  }

  /** The host is of this swarm. */
  saw(vtep: string): void {
    if (this.#hosts.has(vtep) || !isVtep(vtep)) return;
    this.#hosts.add(vtep);
    this.#learnt(this.#hosts);
  }

  /** The engine sends there what is for that node. */
  sawOf(nodeId: string, vtep: string, told: string): void {
    const known = this.#seen.get(nodeId);
    if ((known?.vtep === vtep && known.told === told) || !isVtep(vtep)) return;
    this.#seen.delete(nodeId);
    this.#seen.set(nodeId, { vtep, told });
    this.#learnt(this.#seen);
  }

  /** '' where it is not known. */
  of(nodeId: string, told: string): string {
    const seen = this.#seen.get(nodeId);
    const moved = seen !== undefined && told !== '' && seen.told !== '' && seen.told !== told;
    if (seen && !moved) return seen.vtep;
    return isVtep(told) ? told : '';
  }

  #learnt(known: Set<string> | Map<string, unknown>): void {
    this.revision++;
    if (known.size <= MOST) return;
    for (const oldest of known.keys()) {
      known.delete(oldest);
      return;
    }
  }
}
