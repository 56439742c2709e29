import { SwarmError } from '../../base/errors.ts';
import { asObject, asString, type Json } from '../../base/json.ts';
import { engineRefusal, mayHaveArrived, type EngineAnswer } from '../../engine/index.ts';
import { readJson, type ApiCall, type ApiMinor } from '../../docker-api/index.ts';
import { parseExpression, type PreparedFilter } from '../../scheduler/index.ts';
import type { Context } from '../context.ts';
import { bodyForEngine, readCreateRequest, type CreateRequest } from './create-request.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { planCreate, type CreatePlan } from './create-plan.ts';
import type { ReleaseName } from './leftovers.ts';
import { mergedFailure } from '../pool/each-node.ts';
import { copyImage } from '../images/image-copy.ts';
import { locateImage } from '../images/locate-image.ts';
import { bodyNetworks } from '../networks/networks-body.ts';
import { PlanOutdated } from '../networks/networks-keeper.ts';
import { plannedRemains } from '../pool/remains.ts';
import { movesOnFailure, SWARM_ID_LABEL } from '../pool/reschedule-labels.ts';
import type { Leadership } from '../replication/leadership.ts';
import { unbrokenLead, type UnbrokenLead } from '../replication/unbroken-lead.ts';
import type { Held } from './placer.ts';

/** What came of one try at one engine. */
type Attempt =
  | { kind: 'made'; answer: EngineAnswer; id: string }
  | { kind: 'no-image'; node: EngineNode; answer: EngineAnswer }
  | { kind: 'outdated'; error: PlanOutdated }
  | { kind: 'unanswered'; error: unknown }
  | { kind: 'refused'; node: EngineNode; answer: EngineAnswer };

/** How long an engine may take to make a container; the client's own patience comes on top. */
const CREATE_TIMEOUT_MS = 120_000;
/** How often a node is chosen again because somebody else took a network the container needs. */
const MAX_REPLANS = 3;
/** How many nodes an image is brought to for one container. */
const MAX_FETCHES = 3;

/** `POST /containers/create` */
export async function createContainer(call: ApiCall, context: Context): Promise<void> {
  const body = await readJson(call.req);
  if (!body) throw new SwarmError('invalid', 'invalid JSON: got EOF while reading request body');
  if (Object.keys(body).length === 0) {
    throw new SwarmError('invalid', 'Config cannot be empty in order to create a container');
  }
  const { copies } = context.pool.index;
  const request = readCreateRequest(call.query.get('name') ?? '', body, (id) => copies.knows(id));
  if (request.placement.image === '') {
    throw new SwarmError('invalid', 'No command specified');
  }
  const search = new URLSearchParams(call.query);
  search.delete('name');
  if (request.name !== '') search.set('name', request.name);
  const headers = registryAuth(call);
  const answer = await makeContainer(context, request, {
    path: (node) =>
      node.path('/containers/create', call.minor) + (search.size > 0 ? `?${search.toString()}` : ''),
    headers,
    minor: call.minor,
    signal: call.signal,
  });
  const { labels } = request.facts;
  if (movesOnFailure(labels)) {
    context.registryAuths.keep(labels[SWARM_ID_LABEL] ?? '', headers['x-registry-auth'] ?? '');
  }
  call.body(answer.status, 'application/json', answer.body);
}

function registryAuth(call: ApiCall): Record<string, string> {
  const auth = call.req.headers['x-registry-auth'];
  return typeof auth === 'string' ? { 'x-registry-auth': auth } : {};
}

export interface Sending {
  path: (node: EngineNode) => string;
  headers: Record<string, string>;
  minor: ApiMinor;
  signal: AbortSignal;
  /** Who may place it; the manager's own leadership when not given. */
  leadership?: Leadership;
  /** Conditions that are not the container's own. */
  filters?: readonly PreparedFilter[];
  /** What goes to the engine, of the body that is ready for it. */
  adapt?: (json: Json) => Json;
  /** Brings the image to a chosen node that lacks it; without this the engine's 404 is the answer. */
  fetchImage?: (node: EngineNode) => Promise<void>;
}

/**
 * Places a container and makes it there. An engine without the image is answered with one more try among the nodes
 * that have it; an engine that refuses, with as many tries elsewhere as `swarm.createretry` gives.
 * Resolves with the engine's 201. Throws the engine's or the scheduler's words.
 */
export async function makeContainer(
  context: Context,
  request: CreateRequest,
  sending: Sending,
): Promise<EngineAnswer> {
  const lead = unbrokenLead(sending.leadership ?? context.leadership);
  let releaseName: ReleaseName | undefined;
  try {
    releaseName = await context.names.hold(request.name, sending.signal, request.replaces);
    const plan = await planCreate(context, request);
    let wanted = request;
    let retries = context.config.createRetry;
    let replans = MAX_REPLANS;
    let imageTries = sending.fetchImage ? MAX_FETCHES : 1;
    let noImage: EngineAnswer | undefined;
    const refusers = new Set<EngineNode>();
    for (;;) {
      lead.demand();
      // No pause from here until the plan has claimed the networks, which it does first of all.
      const filters = [...plan.filters, ...(sending.filters ?? [])];
      const held = holdPlace(context, wanted, filters, refusers, noImage);
      const attempt = await createAt(held.node, wanted, plan, sending, lead).finally(() => {
        held.release();
        plan.release();
      });
      switch (attempt.kind) {
        case 'made':
          if (!lead.holds()) {
            await context.leftovers.unwanted(held.node, attempt.id);
            lead.demand();
          }
          return attempt.answer;
        case 'no-image':
          if (imageTries <= 0) throw engineRefusal(attempt.answer);
          imageTries -= 1;
          if (sending.fetchImage) {
            await sending.fetchImage(attempt.node);
            break;
          }
          noImage = attempt.answer;
          await learnImage(context, request.placement.image);
          wanted = withImageAffinity(request, noImage);
          if (isKeptFromImage(context, wanted, plan)) {
            await bringImage(context, request.placement.image, attempt.node, sending);
            wanted = request;
          }
          break;
        case 'unanswered':
          context.leftovers.unanswered({ node: held.node, request, release: releaseName });
          releaseName = undefined;
          throw attempt.error;
        case 'outdated':
          if (replans <= 0) throw attempt.error;
          replans -= 1;
          break;
        case 'refused':
          if (retries <= 0) throw engineRefusal(attempt.answer);
          retries -= 1;
          refusers.add(attempt.node);
          context.config.log.warn(
            { name: request.name, node: attempt.node.name },
            'Creating again on another node',
          );
          break;
      }
    }
  } finally {
    releaseName?.();
    lead.end();
  }
}

/** Whether nodes with the image could take the container, were it not for its networks and volumes. */
function isKeptFromImage({ placer }: Context, wanted: CreateRequest, plan: CreatePlan): boolean {
  return (
    placer.countFitting(wanted.placement, plan.filters) === 0 && placer.countFitting(wanted.placement) > 0
  );
}

/** Looks at the engines for an image that the index lacks: a build that another manager has passed on tells nobody. */
async function learnImage({ pool }: Context, image: string): Promise<void> {
  await locateImage(pool, image).catch(() => undefined);
  await pool.settle();
}

/** Copies the image to a node from one that has it. Throws the engines' words. */
async function bringImage(
  { pool, config }: Context,
  image: string,
  node: EngineNode,
  { minor, signal }: Sending,
): Promise<void> {
  const [home] = await locateImage(pool, image);
  if (!home || home.node === node) return;
  config.log.info({ image, from: home.node.name, to: node.name }, 'Copying image');
  const { failed } = await copyImage({ from: home.node, to: [node], image: home.called, minor, signal });
  if (failed.length > 0) throw mergedFailure(failed);
}

/** Throws the scheduler's words; or, when this is the try among the nodes that have the image, the engine's. */
function holdPlace(
  context: Context,
  request: CreateRequest,
  filters: readonly PreparedFilter[],
  refusers: ReadonlySet<EngineNode>,
  noImage: EngineAnswer | undefined,
): Held {
  const extra = [...filters];
  if (refusers.size > 0 && refusers.size < context.pool.healthy().length) extra.push(notThere(refusers));
  try {
    return context.placer.hold(request.placement, request.facts, extra);
  } catch (error) {
    throw noImage ? engineRefusal(noImage) : error;
  }
}

async function createAt(
  node: EngineNode,
  request: CreateRequest,
  plan: CreatePlan,
  sending: Sending,
  lead: UnbrokenLead,
): Promise<Attempt> {
  let json: Json;
  try {
    json = await plan.bind(node, bodyForEngine(request, node));
  } catch (error) {
    if (error instanceof PlanOutdated) return { kind: 'outdated', error };
    throw error;
  }
  // What the plan has done may have taken its time.
  lead.demand();
  const answer = await node.client
    .call(sending.path(node), {
      method: 'POST',
      json: sending.adapt ? sending.adapt(json) : json,
      headers: sending.headers,
      timeoutMs: CREATE_TIMEOUT_MS,
    })
    .catch((error: unknown) => {
      node.suspect();
      if (!mayHaveArrived(error)) throw error;
      return { error };
    });
  if ('error' in answer) return { kind: 'unanswered', error: answer.error };
  if (answer.status === 201) {
    const id = indexNew(node, request, json, answer);
    return { kind: 'made', answer, id };
  }
  return isNoSuchImage(answer) ? { kind: 'no-image', node, answer } : { kind: 'refused', node, answer };
}

/** Puts what was made into the index at once, so that the client's next call finds it. Returns its id. */
function indexNew(node: EngineNode, request: CreateRequest, sent: Json, answer: EngineAnswer): string {
  const id = asString(asObject(JSON.parse(answer.body.toString('utf8')) as unknown)['Id']);
  const { facts } = request;
  const summary: Json = {
    Id: id,
    Names: [`/${request.name}`],
    Image: facts.image,
    ImageID: facts.imageId,
    Command: '',
    Created: Math.floor((Date.now() + node.clockSkewMs) / 1000),
    Ports: [],
    Labels: facts.labels,
    State: 'created',
    Status: 'Created',
    HostConfig: { NetworkMode: asString(asObject(sent['HostConfig'])['NetworkMode']) || 'default' },
    NetworkSettings: { Networks: bodyNetworks(sent) },
    Mounts: [],
  };
  node.inventory.add(summary, {
    createdMs: Date.now() + node.clockSkewMs,
    run: { startedAtMs: 0, finishedAtMs: 0, exitCode: 0, health: '' },
    nanoCpus: facts.nanoCpus,
    memoryBytes: facts.memoryBytes,
    ports: facts.ports,
    ...(movesOnFailure(facts.labels) ? { remains: plannedRemains(id, request.name, sent) } : {}),
  });
  return id;
}

function isNoSuchImage(answer: EngineAnswer): boolean {
  return answer.status === 404 && /no such image/i.test(answer.body.toString('utf8'));
}

/** Throws the engine's words where the image's name can't be an affinity. */
function withImageAffinity(request: CreateRequest, noImage: EngineAnswer): CreateRequest {
  const { placement } = request;
  try {
    const affinity = parseExpression('affinity', `image==${placement.image}`);
    return { ...request, placement: { ...placement, affinities: [...placement.affinities, affinity] } };
  } catch {
    throw engineRefusal(noImage);
  }
}

function notThere(refusers: ReadonlySet<EngineNode>): PreparedFilter {
  const places = new Set([...refusers].map((node) => node.sched));
  return {
    name: 'createretry',
    conditions: ['not a node that has just refused it'],
    check: (place) => !places.has(place),
    explain: () => 'it has just refused this container',
  };
}
