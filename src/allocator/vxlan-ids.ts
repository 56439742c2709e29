/** The driver option that names a network's ids, one for each IPv4 subnet. */
export const VXLAN_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

/** Docker leaves the ids below to VLANs; users may name them. */
const FIRST = 4097;
const LAST = 2 ** 24 - 1;

/** Which network has which VXLAN ids; each id once. */
export class VxlanIds {
  readonly #owners = new Map<number, string>();
  readonly #byNetwork = new Map<string, number[]>();
  #cursor = FIRST;

  /** Takes this one. Returns the network that has it, if any: then nothing is taken. */
  take(id: number, networkId: string): string | undefined {
    const owner = this.#owners.get(id);
    if (owner !== undefined) return owner;
    this.#owners.set(id, networkId);
    const own = this.#byNetwork.get(networkId);
    if (own) own.push(id);
    else this.#byNetwork.set(networkId, [id]);
    return undefined;
  }

  /** Takes the next free one behind the last. */
  takeNext(networkId: string): number {
    // There are far fewer networks than ids: this ends.
    let id = this.#cursor;
    while (id > LAST || this.#owners.has(id)) id = id >= LAST ? FIRST : id + 1;
    this.take(id, networkId);
    this.#cursor = id + 1;
    return id;
  }

  /** Gives back all that a network has. */
  release(networkId: string): void {
    for (const id of this.#byNetwork.get(networkId) ?? []) this.#owners.delete(id);
    this.#byNetwork.delete(networkId);
  }
}

/** The ids that a driver option names; undefined when it can't be read. */
export function readVxlanIds(text: string): readonly number[] | undefined {
  const ids = text.split(',').map((item) => (/^\d{1,8}$/.test(item.trim()) ? Number(item) : -1));
  return ids.every((id) => id > 0 && id <= LAST) ? ids : undefined;
}
