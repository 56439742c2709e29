import { asObject, asString, type Json } from '../../base/json.ts';
import { isPredefined } from './networks-view.ts';

/** What a reference is called at the engine that gets the request. */
export interface KnownNetwork {
  readonly name: string;
  readonly id: string;
}

/** The networks that the body of a container's creation names: ids, names or `node/name`; each once. */
export function networkReferences(body: Json): string[] {
  const mode = asString(asObject(body['HostConfig'])['NetworkMode']);
  const named = [mode, ...Object.keys(endpointsOf(body))];
  return [...new Set(named.filter(isReference))];
}

function isReference(mode: string): boolean {
  return mode !== '' && !isPredefined(mode) && !mode.startsWith('container:');
}

function endpointsOf(body: Json): Json {
  return asObject(asObject(body['NetworkingConfig'])['EndpointsConfig']);
}

/** The body with every reference as its network's plain name, in NetworkMode and in EndpointsConfig alike. */
export function renameNetworks(body: Json, known: ReadonlyMap<string, KnownNetwork>): Json {
  const host = asObject(body['HostConfig']);
  const mode = known.get(asString(host['NetworkMode']))?.name;
  const renamed: Json =
    mode === undefined ? { ...body } : { ...body, HostConfig: { ...host, NetworkMode: mode } };
  const endpoints = Object.entries(endpointsOf(body)).map(([reference, config]): [string, unknown] => {
    const network = known.get(reference);
    return network ? [network.name, endpointFor(config, network)] : [reference, config];
  });
  if (endpoints.length > 0) {
    const EndpointsConfig = Object.fromEntries(endpoints);
    renamed['NetworkingConfig'] = { ...asObject(body['NetworkingConfig']), EndpointsConfig };
  }
  return renamed;
}

/** Clients that copy an inspection name the network's id inside as well; it may be a former one. */
function endpointFor(config: unknown, { id }: KnownNetwork): unknown {
  return asString(asObject(config)['NetworkID']) === '' ? config : { ...asObject(config), NetworkID: id };
}

/** The networks of a body that is ready for an engine, as the engine's container list will name them. */
export function bodyNetworks(body: Json): Json {
  const mode = asString(asObject(body['HostConfig'])['NetworkMode']);
  const names = new Set([...(isReference(mode) ? [mode] : []), ...Object.keys(endpointsOf(body))]);
  return Object.fromEntries([...names].map((name) => [name, { NetworkID: '' }]));
}
