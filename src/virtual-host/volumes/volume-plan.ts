import { asArray, asObject, asString, asStrings, isObject, type Json } from '../../base/json.ts';
import type { PreparedFilter } from '../../scheduler/index.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { splitPlaced } from '../containers/locate.ts';
import type { Pool } from '../pool/pool.ts';

/** What a container's volumes ask of its placement. */
export interface VolumePlan {
  readonly filters: readonly PreparedFilter[];
  /** The body with the plain names of its volumes, as engines know them. */
  bind(body: Json): Json;
}

/** Reads the volumes that are named as `node/volume`: they tie the container to that node. */
export function planVolumes(pool: Pool, body: Json): VolumePlan {
  const host = asObject(body['HostConfig']);
  const sources = [
    ...asStrings(host['Binds']).map((bind) => bind.split(':')[0] ?? ''),
    ...asArray(host['Mounts']).flatMap((mount) => (isVolume(mount) ? [asString(mount['Source'])] : [])),
  ];
  const placed = new Map<string, { node: EngineNode; name: string }>();
  for (const source of sources) {
    const found = source.startsWith('/') ? undefined : splitPlaced(pool, source);
    if (found) placed.set(source, found);
  }
  const plain = (source: string): string => placed.get(source)?.name ?? source;
  return {
    filters: [...placed].map(([source, { node }]) => onlyAt(node, source)),
    bind: (given) => (placed.size === 0 ? given : renameVolumes(given, plain)),
  };
}

function isVolume(mount: unknown): mount is Json {
  return isObject(mount) && (mount['Type'] === 'volume' || mount['Type'] === undefined);
}

function onlyAt(node: EngineNode, source: string): PreparedFilter {
  const where = `volume ${source}`;
  return {
    name: 'volume',
    conditions: [where],
    check: (place) => place === node.sched,
    explain: () => `${where} is elsewhere`,
  };
}

/** Renames the volumes of a container's body, in Binds and in Mounts. */
export function renameVolumes(body: Json, plain: (source: string) => string): Json {
  const host = { ...asObject(body['HostConfig']) };
  if (Array.isArray(host['Binds'])) {
    host['Binds'] = asStrings(host['Binds']).map((bind) => {
      const source = bind.split(':')[0] ?? '';
      return plain(source) + bind.slice(source.length);
    });
  }
  if (Array.isArray(host['Mounts'])) {
    host['Mounts'] = host['Mounts'].map((mount: unknown) =>
      isVolume(mount) ? { ...mount, Source: plain(asString(mount['Source'])) } : mount,
    );
  }
  return { ...body, HostConfig: host };
}
