import type { Kernel } from './kernel/kernel.ts';
import type { Link } from './kernel/links.ts';
import { eachLimited } from '../base/async.ts';
import type { BalancedNetwork } from '../model/index.ts';
import type { NetnsFile } from './namespaces.ts';

/** A network namespace that rules go into: the same object as long as it is the same one. */
export interface Sandbox {
  /** For nsenter; '' for the host's own. */
  readonly path: string;
  /** 0 for the host's own. */
  readonly inode: number;
  /** The interface on the overlay; '' where there is none of importance. */
  readonly device: string;
  /** Of that interface; 0 where there is none. */
  readonly deviceIndex: number;
  /** Of the mesh's sandbox: its address on docker_gwbridge, with its prefix: `172.18.0.2/16`. */
  readonly outerAddress: string;
}

export const HOST_SANDBOX: Sandbox = { path: '', inode: 0, device: '', deviceIndex: 0, outerAddress: '' };

const AT_ONCE = 4;

/** How the engine calls the load balancer's sandbox of the ingress network, and of any other. */
export function sandboxName(network: { readonly id: string; readonly ingress: boolean }): string {
  return network.ingress ? 'ingress_sbox' : `lb_${network.id.slice(0, 9)}`;
}

/**
 * The load balancers' sandboxes that the engine has made. One is known by its network's address on this node:
 * so the leftover of another engine, or one that is not ready yet, is not taken for it.
 */
export class Sandboxes {
  readonly #kernel: Kernel;
  readonly #list: () => Promise<readonly NetnsFile[]>;
  /** By path; those that were what they should be. */
  readonly #proved = new Map<string, { readonly address: string; readonly sandbox: Sandbox }>();

  constructor(kernel: Kernel, list: () => Promise<readonly NetnsFile[]>) {
    this.#kernel = kernel;
    this.#list = list;
  }

  /** By network; `waiting` where the engine seems to be about to finish one. */
  async find(
    networks: Iterable<BalancedNetwork>,
  ): Promise<{ found: Map<string, Sandbox>; waiting: boolean }> {
    const byName = Map.groupBy(await this.#list(), ({ name }) => name);
    const found = new Map<string, Sandbox>();
    let waiting = false;
    await eachLimited(networks, AT_ONCE, async (network) => {
      const candidates = [...(byName.get(sandboxName(network)) ?? [])].reverse();
      for (const file of candidates) {
        const sandbox = await this.#prove(file, network);
        if (sandbox) found.set(network.id, sandbox);
        if (sandbox) break;
      }
      waiting ||= candidates.length > 0 && !found.has(network.id);
    });
    this.#forgetGone(byName);
    return { found, waiting };
  }

  /** The engine seems to have made it anew, under the same number. */
  doubt(path: string): void {
    this.#proved.delete(path);
  }

  async #prove(file: NetnsFile, network: BalancedNetwork): Promise<Sandbox | undefined> {
    const address = network.address.split('/')[0] ?? '';
    const known = this.#proved.get(file.path);
    if (known?.sandbox.inode === file.inode && known.address === address) return known.sandbox;
    const links = await this.#kernel.links(file.path).catch(() => []);
    const own = links.find((link) => hasAddress(link, address));
    const outer = links.find((link) => link !== own && link.name !== 'lo' && link.addresses.length > 0);
    // The mesh's is finished when it has both of its interfaces.
    if (!own?.up || (network.ingress && !outer?.up)) return undefined;
    const [outside] = outer?.addresses ?? [];
    const sandbox: Sandbox = {
      path: file.path,
      inode: file.inode,
      device: own.name,
      deviceIndex: own.index,
      outerAddress: outside ? `${outside.address}/${outside.prefix}` : '',
    };
    this.#proved.set(file.path, { address, sandbox });
    return sandbox;
  }

  #forgetGone(byName: ReadonlyMap<string, readonly NetnsFile[]>): void {
    const paths = new Set([...byName.values()].flat().map(({ path }) => path));
    for (const path of this.#proved.keys()) if (!paths.has(path)) this.#proved.delete(path);
  }
}

function hasAddress(link: Link, address: string): boolean {
  return link.addresses.some((one) => one.address === address);
}
