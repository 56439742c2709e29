import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf, SwarmError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { ApiCall, Router, versionText, type Hijack } from '../docker-api/index.ts';
import { FIRST_MINOR, NEWEST_MINOR, OLDEST_MINOR, type DaemonContext } from './daemon-context.ts';
import type { EngineFacts } from './local-engine.ts';
import { NOT_LEADER_HEADER, REVISION_HEADER } from './at-leader.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import { NO_MANAGER } from './no-manager.ts';
import { pass } from './pass.ts';
import { daemonRoutes, type DaemonRoute } from './routes.ts';
import { readTarget, withoutSelf, type Target } from './target.ts';

/** With what was read while the store did not say how far the state has come: it may be old. */
const STALE_HEADER = 'Skep-Stale';

/** What is the swarm's: no engine that is a worker has an answer to it. */
const SWARM_NOUN = /^\/(?:swarm|nodes|services|tasks|secrets|configs)(?:\/|$)/;

/** The Docker API of this host, as a function of one request; of one that another manager has passed on, where that is said. */
export function createApi(
  context: DaemonContext,
  { passedOn }: { readonly passedOn: boolean } = { passedOn: false },
): (req: IncomingMessage, res: ServerResponse, hijack?: Hijack) => void {
  const router = new Router<DaemonRoute>(daemonRoutes());

  // The engine has its own words for what a worker does not do; ours are missed only while it is down.
  const relay = (call: ApiCall, { whole }: Target): Promise<void> =>
    pass(call, context.engine, whole, SWARM_NOUN.test(call.path) ? NO_MANAGER : undefined);

  const answer = async (call: ApiCall, target: Target): Promise<void> => {
    const { engine, life } = context;
    await life.settled;
    const { swarm } = life;
    if (!target.whole.startsWith('/')) {
      call.refuse(404, 'page not found');
      return;
    }
    const found = router.find(call.method, call.path);
    if (!found) {
      if (swarm && SWARM_NOUN.test(call.path)) call.refuse(404, 'page not found');
      else await relay(call, target);
      return;
    }
    call.params = found.params;
    const ofNone = (life.isLocked ? found.route.locked : undefined) ?? found.route.plain;
    if (!swarm && !ofNone && life.trouble !== undefined && SWARM_NOUN.test(call.path))
      throw new SwarmError('no-manager', life.trouble);
    if (!swarm && !ofNone) {
      if (!(await found.route.beside?.(call, context, target))) await relay(call, target);
      return;
    }
    const facts = await engine.known();
    ownHeaders(call.res, facts);
    // A ping must tell any client which version to speak.
    if (call.path !== '/_ping') refuseVersion(target, facts);
    if (swarm && found.route.atLeader?.(call) === true && !swarm.manager.leading)
      await atLeader(call, swarm, target);
    else if (swarm) {
      // Whoever wrote at another manager reads that here.
      if (readsState(call) && !(await swarm.store.caughtUp(call.signal)))
        call.res.setHeader(STALE_HEADER, '1');
      await found.route.managed(call, context, swarm);
    } else await ofNone?.(call, context);
  };

  const atLeader = async (call: ApiCall, swarm: ManagedSwarm, target: Target): Promise<void> => {
    if (!passedOn) return context.atLeader.pass(call, swarm, withoutSelf(target, swarm.local.nodeId));
    // Never in a circle.
    call.res.setHeader(NOT_LEADER_HEADER, '1');
    throw new SwarmError('no-manager', 'this manager does not lead');
  };

  return (req, res, hijack) => {
    const target = readTarget(req.url ?? '/');
    const { path, search } = target;
    const minor = target.minor ?? context.engine.facts?.minor ?? FIRST_MINOR;
    const call = new ApiCall({ req, res, hijack, path, search, minor });
    if (passedOn) tellRevision(res, context);
    res.on('error', () => undefined);
    void answer(call, target).catch((error: unknown) => fail(call, error, context));
  };
}

function readsState({ method, path }: ApiCall): boolean {
  return method === 'GET' && path !== '/_ping' && path !== '/version' && path !== '/events';
}

function refuseVersion({ version, minor }: Target, facts: EngineFacts | undefined): void {
  if (version === undefined) return;
  const newest = facts?.minor ?? NEWEST_MINOR;
  const asked = minor ?? (Number.parseInt(version) < 1 ? 0 : Infinity);
  if (asked > newest)
    throw new SwarmError(
      'invalid',
      `client version ${version} is too new. Maximum supported API version is ${versionText(newest)}`,
    );
  if (asked < OLDEST_MINOR)
    throw new SwarmError(
      'invalid',
      `client version ${version} is too old. Minimum supported API version is ${versionText(OLDEST_MINOR)}, ` +
        'please upgrade your client to a newer version',
    );
}

/** With the head of an answer, which is written when all is done that was asked: how far the state has come. */
function tellRevision(res: ServerResponse, { life }: DaemonContext): void {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse;
  res.writeHead = (...args: unknown[]) => {
    if (life.swarm) res.setHeader(REVISION_HEADER, String(life.swarm.store.view.revision));
    return writeHead(...args);
  };
}

function ownHeaders(res: ServerResponse, facts: EngineFacts | undefined): void {
  res.setHeader('Api-Version', versionText(facts?.minor ?? FIRST_MINOR));
  res.setHeader('Docker-Experimental', 'false');
  res.setHeader('Ostype', 'linux');
  res.setHeader('Server', `Skep/${VERSION} (linux)`);
}

function fail(call: ApiCall, error: unknown, { log }: DaemonContext): void {
  const { method, path } = call;
  if (!(error instanceof SwarmError)) log.error({ err: messageOf(error), path }, 'Request failed');
  else log.debug({ err: error.message, method, path }, 'Request refused');
  try {
    // As Docker answers where its managers can't be had: whoever asks may ask again.
    const isAway = error instanceof SwarmError && error.code === 'unavailable' && !call.res.headersSent;
    if (isAway) call.refuse(503, error.message);
    else call.fail(error);
  } catch (cause) {
    // Nobody else would take it, and one answer that can't be written must not end the manager.
    log.error({ err: messageOf(cause), path }, 'No answer could be written');
    call.res.destroy();
  }
}
