import { SwarmError } from '../../base/errors.ts';
import { needsIngress } from '../../allocator/index.ts';
import { hasEnded, type Network, type Task } from '../../model/index.ts';
import type { Tx } from '../../store/index.ts';
import type { Handler } from '../context.ts';
import { rpcError } from '../rpc-error.ts';
import { isPredefinedName } from './check-request.ts';
import { findNetwork } from './find-network.ts';
import { localNetworks, passAnswer } from './local-networks.ts';

/** `DELETE /networks/{id}`: of the swarm when nobody uses it, or of the local engine. */
export const removeNetwork: Handler = async (call, { store, engine, managers }) => {
  const locals = await localNetworks(engine, call.signal);
  const { id, swarm } = findNetwork(store.view, locals, call.param('id'));
  if (!swarm) {
    passAnswer(call, await engine.json('DELETE', `/networks/${id}`, undefined, { signal: call.signal }));
    return;
  }
  const { name } = swarm.spec.annotations;
  if (isPredefinedName(name))
    throw new SwarmError('forbidden', `${name} is a pre-defined network and cannot be removed`);
  const answer = await managers.leader?.({ method: 'DELETE', path: `/networks/${id}` }, call.signal);
  if (answer) return passAnswer(call, answer);
  await store.update((tx) => dropNetwork(tx, id));
  call.empty(204);
};

/** Removes a network of the swarm. Throws `not-found`, or `invalid` while it is in use, in SwarmKit's words. */
export function dropNetwork(tx: Tx, id: string): void {
  const network = tx.get('network', id);
  if (!network) throw rpcError('NotFound', `network ${id} not found`);
  checkUnused(tx, network);
  tx.remove('network', id);
}

function checkUnused(tx: Tx, { id, spec }: Network): void {
  if (spec.ingress) {
    for (const service of tx.all('service'))
      if (needsIngress(service.spec))
        throw rpcError(
          'FailedPrecondition',
          `ingress network cannot be removed because service ${service.id} depends on it`,
        );
    return;
  }
  for (const service of tx.servicesUsing('network', id))
    throw rpcError('FailedPrecondition', `network ${id} is in use by service ${service.id}`);
  for (const task of tx.all('task'))
    if (isUsing(task, id)) throw rpcError('FailedPrecondition', `network ${id} is in use by task ${task.id}`);
}

/** Tasks that are to end don't count. */
function isUsing({ desiredState, status, networks, spec }: Task, id: string): boolean {
  if (hasEnded(desiredState) && desiredState !== 'complete') return false;
  if (hasEnded(status.state)) return false;
  return (
    networks.some(({ networkId }) => networkId === id) || spec.networks.some(({ target }) => target === id)
  );
}
