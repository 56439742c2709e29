import {
  asArray,
  asNumber,
  asObject,
  asString,
  asStringRecord,
  asStrings,
  type Json,
} from '../../base/json.ts';
import { isPredefined } from '../networks/networks-view.ts';
import { sharesToNano } from '../pool/container.ts';
import { SWARM_ID_LABEL } from '../pool/reschedule-labels.ts';

/** What is known of a container that can't be asked any more. */
export interface Remains {
  /** The last answer of `GET /containers/{id}/json`, or what was kept of it. */
  readonly inspected: Json;
  readonly swarmId: string;
  /** Its node's. */
  readonly cores: number;
  /** The name of the container with this id; undefined for what is no id of one. */
  readonly nameOf: (id: string) => string | undefined;
}

/**
 * Reads an inspection as the body of `POST /containers/create` that a client of the manager would send for the same
 * container, with all of its networks. The engine has filled in what the client left open; of this, what belongs to the
 * old container or its node is taken out.
 */
export function recipeOf({ inspected, swarmId, cores, nameOf }: Remains): Json {
  const host = asObject(inspected['HostConfig']);
  const { mode, endpoints } = networksOf(inspected);
  const byName = (reference: string): string => nameOf(reference) ?? reference;
  const named = (value: unknown): string => {
    const text = asString(value);
    return text.startsWith('container:') ? `container:${byName(text.slice('container:'.length))}` : text;
  };
  const hostConfig: Json = {
    ...host,
    NetworkMode: named(mode),
    IpcMode: named(host['IpcMode']),
    PidMode: named(host['PidMode']),
    // The manager takes cores, and the engine has been given its part of the machine.
    CpuShares: sharesToNano(asNumber(host['CpuShares']), cores) / 1e9,
    ContainerIDFile: '',
  };
  if (Array.isArray(host['Links'])) hostConfig['Links'] = asStrings(host['Links']).map(linkAsGiven);
  if (Array.isArray(host['VolumesFrom'])) {
    hostConfig['VolumesFrom'] = asStrings(host['VolumesFrom']).map((from) => {
      const [id = '', ...access] = from.split(':');
      return [byName(id), ...access].join(':');
    });
  }
  return withEndpoints({ ...configOf(inspected, mode, swarmId), HostConfig: hostConfig }, endpoints);
}

/** The endpoints of a body, by network. */
export function endpointsIn(body: Json): Record<string, Json> {
  const endpoints = Object.entries(asObject(asObject(body['NetworkingConfig'])['EndpointsConfig']));
  return Object.fromEntries(endpoints.map(([name, endpoint]) => [name, asObject(endpoint)]));
}

/** The body with other endpoints. */
export function withEndpoints(body: Json, endpoints: Readonly<Record<string, Json>>): Json {
  return { ...body, NetworkingConfig: { EndpointsConfig: endpoints } };
}

/** The body as older engines take it: with no network but the one of NetworkMode. The others are connected later. */
export function withOneNetwork(body: Json): Json {
  const mode = asString(asObject(body['HostConfig'])['NetworkMode']);
  const endpoint = endpointsIn(body)[mode];
  return withEndpoints(body, endpoint ? { [mode]: endpoint } : {});
}

/** What of a container's data stays where it was: `volume data at /var/lib/data`. */
export function dataLeft(inspected: Json): string[] {
  return asArray(inspected['Mounts']).flatMap((entry) => {
    const mount = asObject(entry);
    const at = asString(mount['Destination']);
    if (mount['Type'] === 'bind') return [`${asString(mount['Source'])} at ${at}`];
    // Other drivers may find the same data from any node.
    return mount['Type'] === 'volume' && mount['Driver'] === 'local'
      ? [`volume ${asString(mount['Name'])} at ${at}`]
      : [];
  });
}

function configOf(inspected: Json, mode: string, swarmId: string): Json {
  const config: Json = { ...asObject(inspected['Config']) };
  config['Labels'] = { ...asStringRecord(config['Labels']), [SWARM_ID_LABEL]: swarmId };
  // Without an entry point that was taken away the image's own would come back.
  config['Entrypoint'] ??= [''];
  const host = asObject(inspected['HostConfig']);
  const shared = mode === 'host' || mode.startsWith('container:') || host['UTSMode'] === 'host';
  if (shared || config['Hostname'] === shortId(inspected)) {
    delete config['Hostname'];
    delete config['Domainname'];
  }
  // Those of the image are among them, and a container in another one's network must not ask for any.
  if (mode.startsWith('container:')) delete config['ExposedPorts'];
  return config;
}

/** The network it is made on, and its endpoints on this and on all others that are of the user's making. */
function networksOf(inspected: Json): { mode: string; endpoints: Record<string, Json> } {
  const given = asString(asObject(inspected['HostConfig'])['NetworkMode']);
  const known = Object.entries(asObject(asObject(inspected['NetworkSettings'])['Networks']));
  if (given === 'host' || given === 'none' || given.startsWith('container:') || known.length === 0) {
    return { mode: given, endpoints: {} };
  }
  const wanted = given === 'default' ? 'bridge' : given;
  const first =
    known.find(([name, endpoint]) => name === wanted || asObject(endpoint)['NetworkID'] === wanted) ??
    known[0];
  const mode = first?.[0] ?? given;
  const own = known.filter(([name]) => !isPredefined(name));
  return {
    mode: mode === 'bridge' && given === 'default' ? given : mode,
    endpoints: Object.fromEntries(own.map(([name, endpoint]) => [name, endpointOf(endpoint, inspected)])),
  };
}

/** What the user said of an endpoint: the rest was chosen by the engine. */
function endpointOf(endpoint: unknown, inspected: Json): Json {
  const kept: Json = {};
  const known = asObject(endpoint);
  for (const key of ['IPAMConfig', 'Links', 'DriverOpts', 'GwPriority']) {
    if (known[key] !== null && known[key] !== undefined) kept[key] = known[key];
  }
  const aliases = asStrings(known['Aliases']).filter((alias) => alias !== shortId(inspected));
  if (aliases.length > 0) kept['Aliases'] = aliases;
  return kept;
}

/** The addresses that the user gave an endpoint. */
export function staticAddresses(endpoint: Json): string[] {
  const given = asObject(endpoint['IPAMConfig']);
  return [asString(given['IPv4Address']), asString(given['IPv6Address'])].filter((text) => text !== '');
}

/** The endpoint without the addresses that the user gave it. */
export function withoutAddresses(endpoint: Json): Json {
  const rest = { ...endpoint };
  delete rest['IPAMConfig'];
  return rest;
}

function shortId(inspected: Json): string {
  return asString(inspected['Id']).slice(0, 12);
}

/** Engines tell `/db:/web/database` where `db:database` was said. */
function linkAsGiven(link: string): string {
  const [target = '', alias = ''] = link.split(':');
  return `${target.replace(/^\//, '')}:${alias.split('/').at(-1) ?? alias}`;
}
