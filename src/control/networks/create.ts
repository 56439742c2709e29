import { SwarmError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { isPredefined } from '../../allocator/index.ts';
import { readJson } from '../../docker-api/index.ts';
import type { Handler } from '../context.ts';
import { checkAgainstOthers, checkRequest, nameTaken } from './check-request.ts';
import { isRemainder } from './find-network.ts';
import { localNetworks, passAnswer } from './local-networks.ts';
import { isSwarmNetwork, networkSpec, readNetworkRequest } from './request.ts';

/** `POST /networks/create`: of the swarm, or of the local engine. A name belongs to one of them. */
export const createNetwork: Handler = async (call, { store, engine }) => {
  const body = await readJson(call.req);
  if (!body) throw new SwarmError('invalid', 'invalid JSON: got EOF while reading request body');
  const request = readNetworkRequest(body);
  const { name } = request;
  if (!isSwarmNetwork(request)) {
    const other = store.view.byName('network', name);
    if (other && !isPredefined(other)) throw nameTaken(name);
    passAnswer(call, await engine.json('POST', '/networks/create', body, { signal: call.signal }));
    return;
  }
  checkRequest(request);
  checkAgainstOthers(store.view, request);
  // What the engine still has of a network of the swarm that is gone stands in nobody's way.
  const locals = await localNetworks(engine, call.signal);
  if (locals.some((local) => local.name === name && !isRemainder(local))) throw nameTaken(name);
  const id = newId();
  await store.update((tx) => {
    checkAgainstOthers(tx, request);
    tx.create('network', { id, spec: networkSpec(request) });
  });
  call.json(201, { Id: id, Warning: '' });
};
