import { messageOf } from '../../base/errors.ts';
import { asArray, asNumber, asObject, asString, asStrings, isObject, type Json } from '../../base/json.ts';
import type { Handler } from '../context.ts';
import { atEach, callWhileHealthy, healthyNodes, mergedFailure } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';

const MEASURE_TIMEOUT_MS = 5 * 60_000;

/** How the entries of an engine are called in the cluster. */
const LISTS: Record<string, (node: EngineNode, entry: Json) => Json> = {
  // Every copy of an image takes its own place, and is used or reclaimable by itself: none are put together here.
  Images: (_node, image) => image,
  Containers: (node, container) => ({
    ...container,
    Names: asStrings(container['Names']).map((name) => `/${node.name}${name}`),
  }),
  Volumes: (node, volume) => ({ ...volume, Name: `${node.name}/${asString(volume['Name'])}` }),
  BuildCache: (_node, record) => record,
};
const SUMS = ['LayersSize', 'BuilderSize'];

/**
 * `GET /system/df`: what the engines use, one after the other. An engine that can't say is left out, as it is in
 * `ps`; throws when none can.
 */
export const diskUsage: Handler = async (call, { pool, config }) => {
  const { done, failed } = await atEach(healthyNodes(pool), async (node) => {
    const path = node.path('/system/df', call.minor) + call.search;
    const answer = await callWhileHealthy(node, path, { signal: call.signal, timeoutMs: MEASURE_TIMEOUT_MS });
    return asObject(JSON.parse(answer.body.toString('utf8')) as unknown);
  });
  if (done.length === 0) throw mergedFailure(failed);
  for (const { node, error } of failed) {
    config.log.warn({ node: node.name, err: messageOf(error) }, 'Left out of the disk usage');
  }
  const merged: Json = {};
  for (const key of SUMS) {
    // Which members there are depends on `type` and on the version; what no engine has told stays away.
    const told = done.filter(({ value }) => value[key] !== undefined);
    if (told.length > 0) merged[key] = told.reduce((sum, { value }) => sum + asNumber(value[key]), 0);
  }
  for (const [key, rename] of Object.entries(LISTS)) {
    const told = done.filter(({ value }) => value[key] !== undefined);
    if (told.length === 0) continue;
    const entries = told.flatMap(({ node, value }) =>
      asArray(value[key])
        .filter(isObject)
        .map((entry) => rename(node, entry)),
    );
    merged[key] = entries.length > 0 || told.some(({ value }) => value[key] !== null) ? entries : null;
  }
  call.json(200, merged);
};
