import { messageOf, SwarmError } from '../../base/errors.ts';
import { asObject, asStrings } from '../../base/json.ts';
import { isPredefined } from '../../allocator/index.ts';
import { matchesLabels, parseMoment, queryFilters, type Filters } from '../../docker-api/index.ts';
import type { Network } from '../../model/index.ts';
import type { ControlContext, Handler } from '../context.ts';
import { passAnswer } from './local-networks.ts';
import { dropNetwork } from './remove.ts';

const KNOWN = ['label', 'label!', 'until'];

/** `POST /networks/prune`: what nobody uses, of the swarm (but not its ingress network) and of the local engine. */
export const pruneNetworks: Handler = async (call, context) => {
  const { store, engine, times } = context;
  const filters = queryFilters(call.query, KNOWN);
  const isChosen = pruneTest(filters, times.wallMs());
  const text = call.query.get('filters');
  const path = `/networks/prune${text === null ? '' : `?filters=${encodeURIComponent(text)}`}`;
  const answer = await engine.json('POST', path, undefined, { signal: call.signal }).catch(unanswered);
  if (answer && answer.status !== 200) {
    passAnswer(call, answer);
    return;
  }
  const removed: string[] = [];
  for (const network of [...store.view.all('network')]) {
    if (network.spec.ingress || isPredefined(network) || !isChosen(network)) continue;
    if (await isDropped(context, network, call.signal)) removed.push(network.spec.annotations.name);
  }
  const all = [...removed, ...asStrings(asObject(answer?.value)['NetworksDeleted'])];
  call.json(200, { NetworksDeleted: all.length > 0 ? all : null });
};

/** The swarm's networks are there without the engine. */
function unanswered(error: unknown): undefined {
  if (error instanceof SwarmError && (error.code === 'unavailable' || error.code === 'timeout'))
    return undefined;
  throw error;
}

async function isDropped(
  { store, log, managers }: ControlContext,
  { id }: Network,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await managers.leader?.({ method: 'DELETE', path: `/networks/${id}` }, signal);
    if (answer) return answer.status === 204;
    await store.update((tx) => dropNetwork(tx, id));
    return true;
  } catch (error) {
    // In use, or gone meanwhile: what is left is not pruned.
    log.debug({ id, why: messageOf(error) }, 'network not pruned');
    return false;
  }
}

function pruneTest(filters: Filters, nowMs: number): (network: Network) => boolean {
  const until = filters.get('until') ?? [];
  if (until.length > 1) throw new SwarmError('invalid', 'more than one until filter specified');
  const [moment] = until;
  const untilMs = moment === undefined ? Infinity : parseMoment(moment, nowMs);
  const wanted = filters.get('label') ?? [];
  const unwanted = filters.get('label!') ?? [];
  return ({ meta, spec: { annotations } }) =>
    meta.createdAtMs <= untilMs &&
    matchesLabels(annotations.labels, wanted) &&
    (unwanted.length === 0 || !matchesLabels(annotations.labels, unwanted));
}
