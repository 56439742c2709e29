import { createHash, randomBytes } from 'node:crypto';
import { SwarmError } from '../../base/errors.ts';
import {
  asNumber,
  asObject,
  asString,
  asStringRecord,
  asStrings,
  isObject,
  type Json,
} from '../../base/json.ts';
import { extractExpressions, type ContainerFacts, type PlacementRequest } from '../../scheduler/index.ts';
import { coresToShares, publishedPorts, type Container } from '../pool/container.ts';
import { SWARM_ID_LABEL } from '../pool/reschedule-labels.ts';

/** A container to be made: what the client sent, read for placement. */
export interface CreateRequest {
  readonly name: string;
  /** The client's body, expressions taken out of Env and put into Labels. */
  readonly body: Json;
  readonly placement: PlacementRequest;
  readonly facts: Omit<ContainerFacts, 'id'>;
  /** CpuShares as the client gave them: cores. 0 when unset. */
  readonly cores: number;
  /** The lost container that is made again, and keeps its name until then. */
  readonly replaces?: Container;
}

/** Docker's rule for names. */
const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/**
 * Reads the body of `POST /containers/create`. `isTaken` tells the swarm ids that others have: a client that copies the
 * labels of a container means a new one. Throws `invalid` in Docker's words.
 */
export function readCreateRequest(
  name: string,
  body: Json,
  isTaken: (swarmId: string) => boolean = () => false,
): CreateRequest {
  const plain = name.startsWith('/') ? name.slice(1) : name;
  if (plain !== '' && !NAME.test(plain)) {
    throw new SwarmError(
      'invalid',
      `Invalid container name (${plain}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  }
  const sent = readBody(body);
  const host = asObject(sent['HostConfig']);
  const extracted = extractExpressions({
    env: asStrings(sent['Env']),
    labels: asStringRecord(sent['Labels']),
  });
  const labels = { ...extracted.labels };
  const swarmId = labels[SWARM_ID_LABEL];
  if (swarmId === undefined || isTaken(swarmId)) {
    labels[SWARM_ID_LABEL] = createHash('sha256').update(randomBytes(32)).digest('hex');
  }
  const image = asString(sent['Image']);
  const cores = asNumber(host['CpuShares']);
  // What is below nothing is refused by the engine; until then it must not make room for others.
  const nanoCpus = Math.max(0, cores * 1e9, asNumber(host['NanoCpus']));
  const memoryBytes = Math.max(0, asNumber(host['Memory']));
  const ports = publishedPorts(host, sent);
  return {
    name: plain,
    body: { ...sent, ...(Array.isArray(sent['Env']) ? { Env: extracted.env } : {}), Labels: labels },
    cores,
    placement: {
      name: plain,
      image,
      constraints: extracted.constraints,
      affinities: extracted.affinities,
      whitelists: extracted.whitelists,
      nanoCpus,
      memoryBytes,
      ports,
      dependencies: dependenciesOf(host),
    },
    facts: { name: plain, image, imageId: '', labels, ports, nanoCpus, memoryBytes },
  };
}

const CONFIG_MEMBERS = ['Image', 'Env', 'Labels', 'ExposedPorts', 'HostConfig', 'NetworkingConfig'];
const HOST_MEMBERS = [
  'Binds',
  'CpuShares',
  'IpcMode',
  'Links',
  'Memory',
  'Mounts',
  'NanoCpus',
  'NetworkMode',
  'PidMode',
  'PortBindings',
  'VolumeDriver',
  'VolumesFrom',
];

/** The body with its members named as they are read here. Throws `invalid` for those of a wrong kind. */
function readBody(body: Json): Json {
  const sent = withNames(body, CONFIG_MEMBERS);
  const expect = (key: string, kind: string, fits: (value: unknown) => boolean): void => {
    const value = sent[key] ?? undefined;
    if (value !== undefined && !fits(value)) {
      throw new SwarmError('invalid', `invalid JSON: ${key} must be ${kind}`);
    }
  };
  const isString = (value: unknown): boolean => typeof value === 'string';
  expect('Image', 'a string', isString);
  expect('Env', 'an array of strings', (value) => Array.isArray(value) && value.every(isString));
  expect(
    'Labels',
    'an object of strings',
    (value) => isObject(value) && Object.values(value).every(isString),
  );
  expect('HostConfig', 'an object', isObject);
  expect('NetworkingConfig', 'an object', isObject);
  const host = sent['HostConfig'];
  return isObject(host) ? { ...sent, HostConfig: withNames(host, HOST_MEMBERS) } : sent;
}

/** Engines read the names of members whatever their case, the last one counting; so does this. */
function withNames(object: Json, names: readonly string[]): Json {
  const known = new Map(names.map((name) => [name.toLowerCase(), name]));
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [known.get(key.toLowerCase()) ?? key, value]),
  );
}

/** Every container that this one must share its node with. */
function dependenciesOf(host: Json): PlacementRequest['dependencies'] {
  const found: PlacementRequest['dependencies'][number][] = [];
  for (const from of asStrings(host['VolumesFrom'])) {
    found.push({ kind: 'volumes-from', container: from.split(':')[0] ?? from });
  }
  for (const link of asStrings(host['Links']))
    found.push({ kind: 'link', container: link.split(':')[0] ?? link });
  for (const [kind, key] of MODES) {
    const mode = asString(host[key]);
    if (mode.startsWith('container:')) found.push({ kind, container: mode.slice('container:'.length) });
  }
  return found.map(({ kind, container }) => ({ kind, container: container.replace(/^\//, '') }));
}

const MODES = [
  ['net', 'NetworkMode'],
  ['ipc', 'IpcMode'],
  ['pid', 'PidMode'],
] as const;

/**
 * The body for the engine of the chosen node: references to other containers lose their `node/`, which engines don't
 * know, and cores become the engine's CpuShares.
 */
export function bodyForEngine(request: CreateRequest, node: { name: string; cores: number }): Json {
  const host = asObject(request.body['HostConfig']);
  const plain = (reference: string): string => {
    const prefix = `${node.name}/`;
    const bare = reference.replace(/^\//, '');
    return bare.startsWith(prefix) ? bare.slice(prefix.length) : reference;
  };
  const adapted: Json = { ...host };
  for (const key of ['VolumesFrom', 'Links']) {
    if (Array.isArray(host[key])) adapted[key] = asStrings(host[key]).map(plain);
  }
  for (const [, key] of MODES) {
    const mode = asString(host[key]);
    if (mode.startsWith('container:')) adapted[key] = `container:${plain(mode.slice('container:'.length))}`;
  }
  if (request.cores > 0) adapted['CpuShares'] = coresToShares(request.cores, node.cores);
  return { ...request.body, HostConfig: adapted };
}
