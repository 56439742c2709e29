import type { Json } from '../../base/json.ts';
import type { PreparedFilter } from '../../scheduler/index.ts';
import type { Context } from '../context.ts';
import type { CreateRequest } from './create-request.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { imageWish } from '../images/image-wish.ts';
import { planNetworks } from '../networks/network-plan.ts';
import { planVolumes } from '../volumes/volume-plan.ts';

/** What a container's networks, volumes and image ask of its placement; see NetworkPlan for the rules of use. */
export interface CreatePlan {
  readonly filters: readonly PreparedFilter[];
  bind(node: EngineNode, body: Json): Promise<Json>;
  release(): void;
}

/** Throws `conflict` for networks that no node has together. */
export async function planCreate(context: Context, request: CreateRequest): Promise<CreatePlan> {
  const volumes = planVolumes(context.pool, request.body);
  const image = imageWish(context.pool, request.placement.image);
  const wishes: PreparedFilter[] = image ? [{ ...image, soft: true }] : [];
  const networks = await planNetworks(context, request, image);
  return {
    get filters() {
      return [...networks.filters, ...volumes.filters, ...wishes];
    },
    bind: (node, body) => networks.bind(node, volumes.bind(body)),
    release: () => networks.release(),
  };
}
