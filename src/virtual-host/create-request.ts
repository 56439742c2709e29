import { createHash, randomBytes } from 'node:crypto';
import { SwarmError } from '../base/errors.ts';
import { asNumber, asObject, asString, asStringRecord, asStrings, type Json } from '../base/json.ts';
import {
  extractExpressions,
  type ContainerFacts,
  type PlacementRequest,
} from '../scheduler/index.ts';
import { coresToShares, publishedPorts } from './container.ts';

/** A container to be made: what the client sent, read for placement. */
export interface CreateRequest {
  readonly name: string;
  /** The client's body, expressions taken out of Env and put into Labels. */
  readonly body: Json;
  readonly placement: PlacementRequest;
  readonly facts: Omit<ContainerFacts, 'id'>;
  /** CpuShares as the client gave them: cores. 0 when unset. */
  readonly cores: number;
}

/** The label by which a container is known again when its node comes back. */
export const SWARM_ID_LABEL = 'com.docker.swarm.id';

/** Docker's rule for names. */
const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Reads the body of `POST /containers/create`. Throws `invalid` in Docker's words. */
export function readCreateRequest(name: string, body: Json): CreateRequest {
  const plain = name.startsWith('/') ? name.slice(1) : name;
  if (plain !== '' && !NAME.test(plain)) {
    throw new SwarmError('invalid', `Invalid container name (${plain}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  const host = asObject(body['HostConfig']);
  const extracted = extractExpressions({
    env: asStrings(body['Env']),
    labels: asStringRecord(body['Labels']),
  });
  const labels = { ...extracted.labels };
  labels[SWARM_ID_LABEL] ??= createHash('sha256').update(randomBytes(32)).digest('hex');
  const image = asString(body['Image']);
  const cores = asNumber(host['CpuShares']);
  const nanoCpus = Math.max(cores * 1e9, asNumber(host['NanoCpus']));
  const memoryBytes = asNumber(host['Memory']);
  const ports = publishedPorts(host, body);
  return {
    name: plain,
    body: { ...body, ...(Array.isArray(body['Env']) ? { Env: extracted.env } : {}), Labels: labels },
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

/** Every container that this one must share its node with. */
function dependenciesOf(host: Json): PlacementRequest['dependencies'] {
  const found: PlacementRequest['dependencies'][number][] = [];
  for (const from of asStrings(host['VolumesFrom'])) {
    found.push({ kind: 'volumes-from', container: from.split(':')[0] ?? from });
  }
  for (const link of asStrings(host['Links'])) found.push({ kind: 'link', container: link.split(':')[0] ?? link });
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
