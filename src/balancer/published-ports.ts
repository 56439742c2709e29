import type { MeshPortRef, ServiceEndpoints } from '../model/index.ts';
import { portKey } from './ports/reserved-ports.ts';

/** The ports that services publish in the mesh, kept as services change. */
export class PublishedPorts {
  readonly #byService = new Map<string, readonly MeshPortRef[]>();
  readonly #ports = new Map<string, { readonly port: MeshPortRef; services: number }>();

  /** By key, as `tcp/8080`. */
  get all(): ReadonlyMap<string, MeshPortRef> {
    return new Map([...this.#ports].map(([key, { port }]) => [key, port]));
  }

  /** Takes a service in as it is now; whether that changed which ports are published. */
  put(key: string, service: ServiceEndpoints | undefined): boolean {
    const before = this.#byService.get(key) ?? [];
    const after = service?.ports ?? [];
    if (before.length === 0 && after.length === 0) return false;
    const size = this.#ports.size;
    let changed = false;
    for (const port of after) changed = this.#add(port) || changed;
    for (const port of before) changed = this.#remove(port) || changed;
    if (after.length === 0) this.#byService.delete(key);
    else this.#byService.set(key, after);
    return changed || size !== this.#ports.size;
  }

  #add({ protocol, published }: MeshPortRef): boolean {
    const key = portKey({ protocol, published });
    const known = this.#ports.get(key);
    if (known) known.services++;
    else this.#ports.set(key, { port: { protocol, published }, services: 1 });
    return !known;
  }

  #remove(port: MeshPortRef): boolean {
    const key = portKey(port);
    const known = this.#ports.get(key);
    if (!known || --known.services > 0) return false;
    return this.#ports.delete(key);
  }
}
