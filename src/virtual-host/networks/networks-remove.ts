import { asObject, asString } from '../../base/json.ts';
import { engineRefusal, type EngineAnswer } from '../../engine/index.ts';
import type { ApiCall } from '../../docker-api/index.ts';
import { forward } from '../pool/ask-engine.ts';
import type { Context, Handler } from '../context.ts';
import { containersOn, reachable, theOne } from './networks.ts';
import type { PoolNetwork } from './networks-keeper.ts';
import { isLocal, isRemoteEndpoint, networkNotFound } from './networks-view.ts';
import { askSharing } from './store-trouble.ts';

/** `DELETE /networks/{id}` */
export const removeNetwork: Handler = async (call, context) => {
  const { networks: keeper } = context;
  const reference = call.param('id');
  const found = theOne(reference, await keeper.find(reference));
  await keeper.exclusively(found, async () => {
    const network = keeper.current(found);
    if (!network) throw networkNotFound(reference);
    let answer = await removeAt(call, network);
    if (!isLocal(network) && isInUse(answer) && (await takeOffLeftovers(call, context, network)))
      answer = await removeAt(call, network);
    if (answer.status < 300 || answer.status === 404) keeper.dropped(network.nodes, network.id);
    if (answer.status === 404) throw networkNotFound(reference);
    if (answer.status > 299) throw engineRefusal(answer);
    forward(call, answer);
  });
};

function removeAt(call: ApiCall, network: PoolNetwork): Promise<EngineAnswer> {
  return askSharing(reachable(network), `/networks/${network.id}`, {
    method: 'DELETE',
    minor: call.minor,
    knows: !isLocal(network),
  });
}

function isInUse({ status, body }: EngineAnswer): boolean {
  return status >= 400 && body.toString('utf8').includes('has active endpoints');
}

/**
 * Takes containers off a shared network that are not there any more: an engine that could not reach its store when a
 * container ended has left the endpoint in it. Whether that was all there is on the network.
 */
async function takeOffLeftovers(
  call: ApiCall,
  { networks: keeper, config }: Context,
  network: PoolNetwork,
): Promise<boolean> {
  const endpoints = Object.entries(await containersOn(call, network));
  const names = endpoints.map(([, endpoint]) => asString(asObject(endpoint)['Name']));
  const keys = endpoints.map(([key]) => key);
  if (names.length === 0 || !keys.every(isRemoteEndpoint) || !names.every((name) => keeper.isOver(name)))
    return false;
  for (const name of names) {
    config.log.info({ network: network.name, container: name }, 'Took a container off that is gone');
    const json = { Container: name, Force: true };
    await askSharing(reachable(network), `/networks/${network.id}/disconnect`, { method: 'POST', json });
  }
  return true;
}
