import { asObject } from '../../base/json.ts';
import { isPredefined } from '../../allocator/index.ts';
import type { Handler } from '../context.ts';
import { queryBool } from '../query.ts';
import { networkFilters, networkTest } from './filter.ts';
import { findNetwork, isRemainder } from './find-network.ts';
import { askEngine, localNetworks, passAnswer, readNetworks } from './local-networks.ts';
import { networkJson } from './network-json.ts';
import { withVerbose } from './verbose.ts';

/** `GET /networks`: the swarm's, then those that only the local engine has. Without the engine the swarm's alone. */
export const listNetworks: Handler = async (call, { store, engine }) => {
  const passes = networkTest(store.view, networkFilters(call.query));
  const filters = call.query.get('filters');
  const query = filters === null ? '' : `?filters=${encodeURIComponent(filters)}`;
  const answer = await askEngine(engine, `/networks${query}`, call.signal);
  if (answer && answer.status !== 200) {
    passAnswer(call, answer);
    return;
  }
  const { view } = store;
  const shown: unknown[] = [];
  for (const network of view.all('network'))
    if (!isPredefined(network) && passes(network)) shown.push(networkJson(network));
  for (const local of readNetworks(answer?.value))
    if (!view.get('network', local.id) && !isRemainder(local)) shown.push(local.entry);
  call.json(200, shown);
};

/** `GET /networks/{id}`: as the local engine shows it where it has it, because it knows the containers. */
export const inspectNetwork: Handler = async (call, { store, engine }) => {
  const verbose = queryBool(call.query, 'verbose');
  const locals = await localNetworks(engine, call.signal);
  const scope = call.query.get('scope') ?? '';
  const { id, swarm, local } = findNetwork(store.view, locals, call.param('id'), scope);
  const answer = local
    ? await askEngine(engine, `/networks/${id}?verbose=${verbose}`, call.signal)
    : undefined;
  if (swarm) {
    const shown = answer?.status === 200 ? asObject(answer.value) : networkJson(swarm);
    call.json(200, verbose ? withVerbose(shown, store.view, swarm) : shown);
  } else if (answer) passAnswer(call, answer);
  else call.json(200, local?.entry);
};
