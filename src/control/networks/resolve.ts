import { SwarmError } from '../../base/errors.ts';
import { asObject, asString } from '../../base/json.ts';
import { PREDEFINED_NETWORKS } from '../../allocator/index.ts';
import type { Network, NetworkAttachmentConfig } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { ControlContext } from '../context.ts';
import { findOne } from '../find.ts';
import { rpcError } from '../rpc-error.ts';

/**
 * The networks of a service's spec, with the id of the swarm's network in the place of each name, id or beginning of an
 * id that the user gave. Throws, in Docker's words: `not-found`; `invalid` where several fit, or for the ingress
 * network; `forbidden` for a network that only the local engine has.
 */
export async function resolveNetworkTargets(
  { store: { view }, engine }: Pick<ControlContext, 'store' | 'engine'>,
  networks: readonly NetworkAttachmentConfig[],
): Promise<readonly NetworkAttachmentConfig[]> {
  const resolved: NetworkAttachmentConfig[] = [];
  for (const wish of networks) {
    const network = await findTarget(view, engine, wish.target);
    if (network.spec.ingress)
      throw rpcError(
        'InvalidArgument',
        `Service cannot be explicitly attached to the ingress network "${network.spec.annotations.name}"`,
      );
    resolved.push({ ...wish, target: network.id });
  }
  return resolved;
}

async function findTarget(view: View, engine: ControlContext['engine'], target: string): Promise<Network> {
  try {
    return findOne(view, 'network', target);
  } catch (error) {
    if (!(error instanceof SwarmError) || error.code !== 'not-found' || target === '') throw error;
    const local = await localNetwork(engine, target);
    if (local === undefined) throw error;
    const predefined = PREDEFINED_NETWORKS.has(local.name) ? view.byName('network', local.name) : undefined;
    if (predefined) return predefined;
    if (local.scope === 'swarm') throw error;
    throw new SwarmError(
      'forbidden',
      `The network ${local.name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
    );
  }
}

/** What the engine knows by that name; undefined also when it does not answer: then nobody knows it. */
async function localNetwork(
  engine: ControlContext['engine'],
  target: string,
): Promise<{ name: string; scope: string } | undefined> {
  try {
    const { status, value } = await engine.json('GET', `/networks/${encodeURIComponent(target)}`);
    if (status !== 200) return undefined;
    const found = asObject(value);
    return { name: asString(found['Name']), scope: asString(found['Scope']) };
  } catch {
    return undefined;
  }
}
