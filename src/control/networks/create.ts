import { SwarmError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { isPredefined } from '../../allocator/index.ts';
import { readJson, type ApiCall } from '../../docker-api/index.ts';
import type { ControlContext, Handler } from '../context.ts';
import { checkAgainstOthers, checkRequest, nameTaken } from './check-request.ts';
import { isRemainder } from './find-network.ts';
import { localNetworks, passAnswer, type LocalNetwork } from './local-networks.ts';
import { isSwarmNetwork, networkSpec, readNetworkRequest, type NetworkRequest } from './request.ts';

/** From this version of the API on a client can say that a network is to have no IPv4. */
const IPV4_MINOR = 48;

/** `POST /networks/create`: of the swarm, or of the local engine. A name belongs to one of them. */
export const createNetwork: Handler = async (call, context) => {
  const { store, engine, managers } = context;
  const body = await readJson(call.req);
  if (!body) throw new SwarmError('invalid', 'invalid JSON: got EOF while reading request body');
  const request = readNetworkRequest(body);
  const { name } = request;
  const other = store.view.byName('network', name);
  if (!isSwarmNetwork(request)) {
    if (other && !isPredefined(other)) throw nameTaken(name);
    passAnswer(call, await engine.json('POST', '/networks/create', body, { signal: call.signal }));
    return;
  }
  if (managers.leader) {
    const path = `/networks/create`;
    passAnswer(call, await managers.leader({ method: 'POST', path, body }, call.signal));
    return;
  }
  if (other) throw nameTaken(name);
  checkRequest(request);
  if (call.minor >= IPV4_MINOR && request.ipv4 === false)
    throw new SwarmError('invalid', 'IPv4 cannot be disabled in a Swarm scoped network');
  checkAgainstOthers(store.view, request);
  await checkAgainstHost(call, context, request);
  const id = newId();
  await store.update((tx) => {
    checkAgainstOthers(tx, request);
    tx.create('network', { id, spec: networkSpec(request) });
  });
  call.json(201, { Id: id, Warning: '' });
};

/** What the engine and the kernel beside this manager have to say to it. Throws `conflict`, `not-found` or `unsupported`. */
async function checkAgainstHost(
  call: ApiCall,
  { engine, canEncrypt }: ControlContext,
  { name, configFrom, options }: NetworkRequest,
): Promise<void> {
  const locals = await localNetworks(engine, call.signal);
  // What the engine still has of a network of the swarm that is gone stands in nobody's way.
  if (locals.some((local) => local.name === name && !isRemainder(local))) throw nameTaken(name);
  const from = configFrom?.network ?? '';
  if (from !== '' && locals.length > 0 && !locals.some((local) => isConfigOf(local, from)))
    throw new SwarmError('not-found', `configuration network ${JSON.stringify(from)} does not exist`);
  if (Object.hasOwn(options, 'encrypted') && (await canEncrypt?.()) === false)
    throw new SwarmError(
      'unsupported',
      `network ${name} can't be encrypted: the kernel of this host has no IPsec ESP with AES-GCM (CONFIG_INET_ESP, CONFIG_CRYPTO_GCM); ` +
        'engines would drop all that it carries without a word',
    );
}

function isConfigOf({ entry, id, name }: LocalNetwork, from: string): boolean {
  return entry['ConfigOnly'] === true && (name === from || id === from);
}
