import type { IncomingMessage, ServerResponse } from 'node:http';
import { posix } from 'node:path';
import { SwarmError, messageOf } from '../base/errors.ts';
import { ApiCall, Router, parseApiVersion, type Hijack } from '../docker-api/index.ts';
import type { Context } from './context.ts';
import { createRoutes, type Route } from './routes.ts';
import { commonHeaders, versionRefusal } from './system/system.ts';

/** The Docker API of the pool, as a function of one request. */
export function createApi(
  context: Context,
): (req: IncomingMessage, res: ServerResponse, hijack?: Hijack) => void {
  const router = new Router(createRoutes());
  const { log } = context.config;

  const answer = async (call: ApiCall, { refusal, location }: Target, found: Found): Promise<void> => {
    if (location !== undefined) {
      call.dropUpload();
      call.res.setHeader('Location', location);
      call.empty(301);
      return;
    }
    if (await context.forwarder?.take(call)) return;
    if (refusal) throw refusal;
    if (call.method === 'OPTIONS') {
      call.empty(200);
      return;
    }
    if (!found) {
      call.refuse(404, 'page not found');
      return;
    }
    call.params = found.params;
    await found.route.handler(call, context);
  };

  return (req, res, hijack) => {
    const target = readTarget(req.url ?? '/', context);
    const call = new ApiCall({ req, res, hijack, ...target });
    res.on('error', () => undefined);
    const found = router.find(call.method, call.path);
    const done = context.calls.begin(call, found?.route);
    commonHeaders(call, context);
    const answered = answer(call, target, found).catch((error: unknown) => {
      if (!(error instanceof SwarmError))
        log.error({ err: messageOf(error), path: call.path }, 'Request failed');
      else log.debug({ err: error.message, method: call.method, path: call.path }, 'Request refused');
      try {
        call.fail(error);
      } catch (cause) {
        // Nobody else would take it, and one answer that can't be written must not end the manager.
        log.error({ err: messageOf(cause), path: call.path }, 'No answer could be written');
        res.destroy();
      }
    });
    void answered.finally(done);
  };
}

type Found = ReturnType<Router<Route>['find']>;

interface Target {
  path: string;
  search: string;
  minor: number;
  refusal: SwarmError | undefined;
  /** Where the client is sent instead, as dockerd does, when the path has double slashes or dots. */
  location: string | undefined;
}

const UNCLEAN = /\/(?:\/|\.\.?(?:\/|$))/;

/** Takes a request target apart. What is wrong with it is told by the answer. */
function readTarget(target: string, context: Context): Target {
  // A client that takes the manager for a proxy names the host as well.
  const url = target.replace(/^https?:\/\/[^/?]*/i, '') || '/';
  const mark = url.indexOf('?');
  const search = mark < 0 ? '' : url.slice(mark);
  let path = mark < 0 ? url : url.slice(0, mark);
  let minor = context.pool.minor;
  let refusal: SwarmError | undefined;
  const location = UNCLEAN.test(path) ? posix.normalize(path) + search : undefined;
  const prefix = /^\/v(\d+\.\d+)(?=\/)/.exec(path);
  if (prefix) {
    path = path.slice(prefix[0].length);
    const asked = prefix[1] ?? '';
    const known = parseApiVersion(asked);
    minor = known ?? (Number.parseInt(asked) < 1 ? 0 : minor);
    // A ping must tell any client which version to speak.
    if (path !== '/_ping') refusal = versionRefusal(asked, context);
  }
  try {
    path = decodeURIComponent(path);
  } catch {
    refusal = new SwarmError('invalid', 'the path is not properly encoded');
  }
  return { path, search, minor, refusal, location };
}
