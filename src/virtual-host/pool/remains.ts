import { parseExact } from '../../base/exact-json.ts';
import { asObject, type Json } from '../../base/json.ts';

/**
 * What is kept of a container's inspection to make it again when nobody can ask its engine: JSON with its `Id`, `Name`,
 * `Config`, `HostConfig`, `Mounts` and networks. As text it takes a tenth of the memory.
 */
export function remainsOf(inspection: string): string {
  const { Id, Name, Config, HostConfig, Mounts, NetworkSettings } = asObject(parseExact(inspection));
  const { Networks } = asObject(NetworkSettings);
  return JSON.stringify({ Id, Name, Config, HostConfig, Mounts, NetworkSettings: { Networks } });
}

/** The same for a container that was just made from this body, until its inspection is read. */
export function plannedRemains(id: string, name: string, body: Json): string {
  const { HostConfig, NetworkingConfig, ...Config } = body;
  const Networks = asObject(asObject(NetworkingConfig)['EndpointsConfig']);
  return JSON.stringify({ Id: id, Name: `/${name}`, Config, HostConfig, NetworkSettings: { Networks } });
}

/** Reads what was kept. */
export function readRemains(remains: string): Json {
  return asObject(parseExact(remains));
}
