import { SwarmError } from '../../base/errors.ts';
import { asNumber, asObject, asString } from '../../base/json.ts';
import { engineRefusal } from '../../engine/index.ts';
import { queryFlag, readJson, type ApiCall } from '../../docker-api/index.ts';
import { coresToShares, type Container } from '../pool/container.ts';
import type { Context, Handler } from '../context.ts';
import { locateContainer, reachContainer } from './locate.ts';
import { startSharing } from '../networks/store-trouble.ts';
import { pass } from '../pass.ts';
import { forward } from '../pool/ask-engine.ts';

const INSPECT_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 10 * 60_000;

/** The rest of a container's route, behind its name: `/logs` of `/containers/web/logs`. */
function actionOf(call: ApiCall): string {
  const name = call.param('name');
  return call.path.slice('/containers/'.length + name.length);
}

/** Passes a call to the container's home as it is. */
export const passToContainer: Handler = async (call, { pool }) => {
  const container = await reachContainer(pool, call.param('name'));
  try {
    await pass(call, container.node, `/containers/${container.id}${actionOf(call)}`);
  } finally {
    // A stream ends with its container; whoever saw it end must not be told that it runs.
    container.node.inventory.inspections.drop(container.id);
  }
};

/** `passToContainer`, for what changes the container: the index reads it again before it next answers. */
export const changeContainer: Handler = async (call, { pool }) => {
  const container = await reachContainer(pool, call.param('name'));
  const { inventory } = container.node;
  const action = actionOf(call);
  const asked = action === '/stop' || action === '/kill' ? inventory.stops.ask(container.id) : undefined;
  try {
    const status = await pass(call, container.node, `/containers/${container.id}${action}`);
    if (status === 204 && (action === '/start' || action === '/restart')) inventory.started(container.id);
  } finally {
    asked?.();
    inventory.markContainer(container.id);
  }
};

/**
 * `POST /containers/{name}/start`. What a start of before 1.24 may bring along would change what was decided when the
 * container was placed, so it is refused as newer engines do.
 */
export const startContainer: Handler = async (call, context) => {
  const { headers } = call.req;
  // The shortest object that says something has eight characters.
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 7) {
    throw new SwarmError(
      'invalid',
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  const container = await reachContainer(context.pool, call.param('name'));
  const { node } = container;
  if (!node.info?.clusterStore) {
    await changeContainer(call, context);
    return;
  }
  try {
    const answer = await startSharing(node, `/containers/${container.id}/start${call.search}`, {
      minor: call.minor,
      signal: call.signal,
      timeoutMs: START_TIMEOUT_MS,
    });
    if (answer.status === 204) node.inventory.started(container.id);
    forward(call, answer);
  } finally {
    node.inventory.markContainer(container.id);
  }
};

/** `GET /containers/{name}/json`: the engine's answer, with the node put in. */
export const inspectContainer: Handler = async (call, { pool }) => {
  const container = await reachContainer(pool, call.param('name'));
  const { node } = container;
  const fetch = async (): Promise<Buffer> => {
    const path = node.path(`/containers/${container.id}/json`, call.minor) + call.search;
    const answer = await node.client.call(path, { timeoutMs: INSPECT_TIMEOUT_MS }).catch((error: unknown) => {
      node.suspect();
      throw error;
    });
    if (answer.status === 404) node.inventory.remove(container.id);
    if (answer.status !== 200) throw engineRefusal(answer);
    return Buffer.from(withNode(answer.body.toString('utf8'), container));
  };
  if (call.search !== '' || !node.following) {
    call.body(200, 'application/json', await fetch());
    return;
  }
  const { inspections } = node.inventory;
  const key = `${container.id} ${call.minor}`;
  const body = inspections.get(key) ?? (await inspections.read(key, fetch, isLasting));
  call.body(200, 'application/json', body);
};

/** Probes' logs grow, and ended execs leave, without an event. */
function isLasting(body: Buffer): boolean {
  return body.includes('"ExecIDs":null') && !body.includes('"Health":{');
}

/**
 * Puts `Node` into an inspection and the node's address where the engine says 0.0.0.0. It is done on the text: a
 * quote inside a JSON string is escaped, so these words can only stand where they are meant, and a whole parse of
 * every inspection would cost more than the rest of the call.
 */
function withNode(text: string, container: Container): string {
  const { node } = container;
  const described = JSON.stringify({
    ID: node.id,
    IP: node.ip,
    Addr: node.address.text,
    Name: node.name,
    Cpus: node.cores,
    Memory: node.info?.memoryBytes ?? 0,
    Labels: node.info?.labels ?? {},
  });
  const at = text.lastIndexOf('"NetworkSettings":{');
  const head = at < 0 ? text : text.slice(0, at);
  const settings = at < 0 ? '' : text.slice(at);
  const local =
    node.ip === '' ? settings : settings.replaceAll('"HostIp":"0.0.0.0"', `"HostIp":"${node.ip}"`);
  return `{"Node":${described},${head.trimStart().slice(1)}${local}`;
}

/** `DELETE /containers/{name}` */
export const removeContainer: Handler = async (call, { pool }) => {
  const container = await locateContainer(pool, call.param('name'));
  const { node } = container;
  if (!node.healthy) {
    if (!queryFlag(call.query, 'force')) await reachContainer(pool, call.param('name'));
    // Nobody can remove it there now; forgetting it here would only bring it back with its node.
    throw new SwarmError(
      'unavailable',
      `Container ${call.param('name')} running on unhealthy node ${node.name}`,
    );
  }
  const status = await pass(call, node, `/containers/${container.id}`);
  if (status === 204 || status === 404) node.inventory.remove(container.id);
  else node.inventory.markContainer(container.id);
};

/** `POST /containers/{name}/rename` */
export const renameContainer: Handler = async (call, { pool, names }) => {
  const container = await reachContainer(pool, call.param('name'));
  const name = (call.query.get('name') ?? '').replace(/^\//, '');
  const release = name === container.name ? (): void => undefined : await names.hold(name, call.signal);
  try {
    await pass(call, container.node, `/containers/${container.id}/rename`);
    container.node.inventory.markContainer(container.id);
    // The name is held until the index has it, so that nobody else gets it in between.
    await pool.settle([container.node]);
  } finally {
    release();
  }
};

/** `POST /containers/{name}/update`: CpuShares are cores here, as in create. */
export const updateContainer: Handler = async (call, { pool }) => {
  const container = await reachContainer(pool, call.param('name'));
  const body = asObject(await readJson(call.req));
  const cores = asNumber(body['CpuShares']);
  const sent = cores > 0 ? { ...body, CpuShares: coresToShares(cores, container.node.cores) } : body;
  await pass(call, container.node, `/containers/${container.id}/update`, { body: JSON.stringify(sent) });
  container.node.inventory.markContainer(container.id);
};

/** `POST /containers/{name}/exec` */
export const createExec: Handler = async (call, { pool, execs }) => {
  const container = await reachContainer(pool, call.param('name'));
  const { node } = container;
  const body = asObject(await readJson(call.req));
  const path = node.path(`/containers/${container.id}/exec`, call.minor) + call.search;
  const answer = await node.client.call(path, { method: 'POST', json: body }).catch((error: unknown) => {
    node.suspect();
    throw error;
  });
  if (answer.status !== 201) throw engineRefusal(answer);
  node.inventory.inspections.drop(container.id);
  execs.put(asString(asObject(JSON.parse(answer.body.toString('utf8')) as unknown)['Id']), node);
  call.body(201, 'application/json', answer.body);
};

/** `/exec/{id}/…` */
export const passToExec: Handler = async (call, { execs }) => {
  const node = await execs.locate(call.param('id'));
  await pass(
    call,
    node,
    `/exec/${encodeURIComponent(call.param('id'))}${call.path.slice('/exec/'.length + call.param('id').length)}`,
  );
};

/**
 * `POST /containers/{name}/copy`, which clients before 1.24 use: engines that have dropped it get the archive asked
 * for instead.
 */
export const copyFromContainer: Handler = async (call, { pool }: Context) => {
  const container = await reachContainer(pool, call.param('name'));
  const body = asObject(await readJson(call.req));
  const resource = asString(body['Resource']);
  if (resource === '') throw new SwarmError('invalid', 'Path cannot be empty');
  await pass(call, container.node, `/containers/${container.id}/archive`, {
    method: 'GET',
    body: null,
    search: `?path=${encodeURIComponent(resource)}`,
  });
};
