import { request, type IncomingHttpHeaders } from 'node:http';
import { SYSTEM_TIMES } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import { ApiCall, Router, startApiServer } from '../../docker-api/index.ts';
import { memoryBackend, openStore, type Store } from '../../store/index.ts';
import type { ControlContext } from '../context.ts';
import { controlRoutes } from '../index.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The body as JSON; undefined when it is none. */
  readonly value: unknown;
  /** Docker's `message`, where it is an error. */
  readonly message: string;
}

/** The routes of swarm mode behind a real HTTP server, for tests. */
export interface ControlApi extends AsyncDisposable {
  readonly store: Store;
  readonly port: number;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
}

interface CallOptions {
  /** The client's API version; 1.51 where it is not given. */
  readonly minor?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const NOBODY: Pick<ControlContext, 'engine' | 'logs' | 'managers'> = {
  managers: {
    leaderId: 'self',
    isThere: () => true,
    whyNoManager: () => Promise.resolve('no swarmd is heard of there'),
    whyKept: () => Promise.resolve(undefined),
  },
  engine: { json: () => Promise.resolve({ status: 404, value: { message: 'not found' } }) },
  logs: { subscribe: () => (async function* nothing() {})() },
};

export async function startControlApi(parts: Partial<ControlContext> = {}): Promise<ControlApi> {
  const store = await openStore(memoryBackend(), {
    nowMs: () => Date.now(),
    onFault: (error) => {
      throw error;
    },
  });
  const log = createLog('fatal');
  const context: ControlContext = { ...NOBODY, store, times: SYSTEM_TIMES, log, nodeId: 'self', ...parts };
  const router = new Router(controlRoutes());
  const server = await startApiServer({
    listen: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    handle(req, res) {
      const url = new URL(req.url ?? '/', 'http://x');
      const [, minor = '51', path = ''] = /^\/v1\.(\d+)(\/.*)$/.exec(decodeURIComponent(url.pathname)) ?? [];
      const call = new ApiCall({ req, res, path, search: url.search, minor: Number(minor) });
      const found = router.find(call.method, path);
      call.params = found?.params ?? {};
      const answered = found
        ? found.route.handler(call, context)
        : Promise.reject(new Error('page not found'));
      answered.catch((error: unknown) => call.fail(error));
    },
  });
  const [address] = server.addresses;
  const port = address?.kind === 'tcp' ? address.port : 0;
  return {
    store,
    port,
    call: (method, path, body, { minor = 51, headers = {} } = {}) =>
      ask({ port, method, path: `/v1.${minor}${path}`, headers }, body),
    async [Symbol.asyncDispose]() {
      await server.close(0);
      await store.close();
    },
  };
}

function ask(
  options: { port: number; method: string; path: string; headers: Readonly<Record<string, string>> },
  body: unknown,
): Promise<Answer> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers = {
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    ...options.headers,
  };
  const sent = request({ ...options, headers, agent: false }, (res) => {
    const chunks: Buffer[] = [];
    res.on('data', (chunk: Buffer) => chunks.push(chunk));
    res.on('error', reject);
    res.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const value = parsed(bytes);
      const message = (value as { message?: string } | undefined)?.message ?? '';
      resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes, value, message });
    });
  });
  sent.on('error', reject);
  sent.end(text);
  return promise;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}
