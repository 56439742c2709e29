import { asArray, asNumber, asObject, asString, asStrings, type Json } from '../../base/json.ts';
import { SwarmError } from '../../base/errors.ts';
import { parseApiVersion, type ApiMinor } from '../../docker-api/index.ts';

/** What an engine says of itself. */
export interface EngineInfo {
  id: string;
  name: string;
  serverVersion: string;
  /** The highest and the lowest API version it speaks. */
  apiMinor: ApiMinor;
  minApiMinor: ApiMinor;
  cores: number;
  memoryBytes: number;
  /** Engine labels, and what constraints may ask for besides. */
  labels: Record<string, string>;
  /** Networks across hosts: set where the engine has a cluster store. */
  clusterStore: string;
  /** Its clock less ours. */
  clockSkewMs: number;
  /** The whole answer of `GET /info`. */
  raw: Json;
}

/** The oldest engines that are served: 20.10. */
const OLDEST_ENGINE_MINOR = 41;

/**
 * Reads `GET /version` and `GET /info`, asked for and answered at those times by our clock. Throws `invalid` for what is
 * no engine, or one that is too old.
 */
export function readEngineInfo(
  version: unknown,
  info: unknown,
  { askedMs, answeredMs }: { askedMs: number; answeredMs: number },
): EngineInfo {
  const said = asObject(version);
  const raw = asObject(info);
  const id = asString(raw['ID']);
  const name = asString(raw['Name']);
  const serverVersion = asString(raw['ServerVersion']) || asString(said['Version']);
  if (serverVersion.startsWith('swarm/')) {
    throw new SwarmError('invalid', 'a swarm manager answers there, not an engine');
  }
  const apiMinor = parseApiVersion(said['ApiVersion']);
  if (apiMinor === undefined || id === '' || name === '') {
    throw new SwarmError('invalid', 'what answers there is not a Docker Engine');
  }
  if (apiMinor < OLDEST_ENGINE_MINOR) {
    throw new SwarmError('invalid', `engine version ${serverVersion} is too old, 20.10 or newer is needed`);
  }
  const systemTimeMs = Date.parse(asString(raw['SystemTime']));
  return {
    id,
    name,
    serverVersion,
    apiMinor,
    minApiMinor: parseApiVersion(said['MinAPIVersion']) ?? 12,
    cores: asNumber(raw['NCPU']),
    memoryBytes: asNumber(raw['MemTotal']),
    labels: engineLabels(raw),
    clusterStore: asString(raw['ClusterStore']),
    clockSkewMs: skewOf(systemTimeMs, askedMs, answeredMs),
    raw,
  };
}

/** An engine may take its time over the answer: its clock is wrong only where it is outside of that time. */
function skewOf(systemTimeMs: number, askedMs: number, answeredMs: number): number {
  if (systemTimeMs < askedMs) return systemTimeMs - askedMs;
  return systemTimeMs > answeredMs ? systemTimeMs - answeredMs : 0;
}

function engineLabels(raw: Json): Record<string, string> {
  const labels: Record<string, string> = {};
  const facts: [string, unknown][] = [
    ['storagedriver', raw['Driver']],
    ['kernelversion', raw['KernelVersion']],
    ['operatingsystem', raw['OperatingSystem']],
    ['ostype', raw['OSType']],
  ];
  for (const [key, value] of facts) if (asString(value) !== '') labels[key] = asString(value);
  for (const label of asStrings(asArray(raw['Labels']))) {
    const at = label.indexOf('=');
    if (at > 0) labels[label.slice(0, at)] = label.slice(at + 1);
  }
  return labels;
}
