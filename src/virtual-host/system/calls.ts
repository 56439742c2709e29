import type { Logger } from 'pino';
import { queryFlag, type ApiCall } from '../../docker-api/index.ts';
import { Counter, Histogram, type Count, type Series } from './exposition.ts';

/** What a call is counted under: the pattern of its route, never the path. */
interface CountedRoute {
  readonly method: string;
  readonly pattern: string;
}

interface OpenCall {
  /** Its place among the open ones; -1 when it is over. */
  at: number;
  readonly call: ApiCall;
  readonly route: CountedRoute;
  readonly sinceMs: number;
  /** The client's address; a request that was given up has no socket to ask any more. */
  readonly from: string | undefined;
  /** It goes on for as long as somebody reads, or until something happens at a container. */
  readonly isStream: boolean;
}

/** Where calls of one route that ended alike are counted. */
interface Tally {
  readonly count: Count;
  readonly times: Series | undefined;
}

const UNKNOWN: CountedRoute = { method: 'other', pattern: 'other' };
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

/** The calls under way: counted, timed, told to the log, and known when the manager is to stop. */
export class Calls {
  readonly #log: Logger;
  /** In no order. A Set of what comes and goes so fast outlives its members and doubles the memory. */
  readonly #open: OpenCall[] = [];
  readonly #stopping = new AbortController();
  readonly #tallies = new Map<CountedRoute, Map<string, Tally>>();
  /** How many of the open ones end by themselves. */
  #answers = 0;
  #quiet: (() => void) | undefined;
  readonly requests = new Counter(
    'skep_api_requests_total',
    'Requests of clients that were answered, by route and class of status; gone: the client left first.',
  );
  readonly latency = new Histogram(
    'skep_api_request_duration_seconds',
    "Time until the answer was complete; streams and hijacked connections aren't in it.",
    SECONDS,
  );

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Fires when the manager stops: who answers without an end should end. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  get open(): Iterable<OpenCall> {
    return this.#open;
  }

  /** Takes note of a call; returns what is to be called when its handler is done. */
  begin(call: ApiCall, found: CountedRoute | undefined): () => void {
    const route = found ?? UNKNOWN;
    const sinceMs = performance.now();
    const from = call.req.socket.remoteAddress;
    const one: OpenCall = {
      at: this.#open.length,
      call,
      route,
      sinceMs,
      from,
      isStream: isStream(call, route),
    };
    this.#open.push(one);
    if (!one.isStream) this.#answers += 1;
    if (this.#stopping.signal.aborted) call.res.shouldKeepAlive = false;
    if (call.hijack !== undefined) return () => this.#over(one);
    call.res.once('close', () => this.#over(one));
    return () => undefined;
  }

  /** From here on streams are to end, and connections are closed after their answer. */
  stop(): void {
    for (const { call } of this.#open) if (!call.res.headersSent) call.res.shouldKeepAlive = false;
    this.#stopping.abort(new Error('the manager stops'));
  }

  /** Resolves when no answer but streams is under way. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#quiet = resolve;
      this.#look();
    });
  }

  #over(one: OpenCall): void {
    if (!this.#remove(one)) return;
    const { call, route, sinceMs, from, isStream } = one;
    if (!isStream) this.#answers -= 1;
    const status = call.res.headersSent ? call.res.statusCode : call.hijack ? 101 : 0;
    const ms = performance.now() - sinceMs;
    const { count, times } = this.#tally(route, classOf(status), isStream);
    count.value += 1;
    if (times) this.latency.add(times, ms / 1000);
    if (this.#log.isLevelEnabled('debug'))
      this.#log.debug({ method: call.method, path: call.path, status, ms: Math.round(ms), from }, 'Request');
    this.#look();
  }

  #remove(one: OpenCall): boolean {
    if (one.at < 0) return false;
    const last = this.#open.pop();
    if (last && last !== one) {
      this.#open[one.at] = last;
      last.at = one.at;
    }
    one.at = -1;
    return true;
  }

  /** Found by the route itself: putting labels together for every call would cost more than many a call. */
  #tally(route: CountedRoute, code: string, isStream: boolean): Tally {
    let ofRoute = this.#tallies.get(route);
    if (!ofRoute) this.#tallies.set(route, (ofRoute = new Map<string, Tally>()));
    const key = isStream ? `${code} stream` : code;
    let tally = ofRoute.get(key);
    if (!tally) {
      const labels = { method: route.method, route: route.pattern, code };
      tally = { count: this.requests.of(labels), times: isStream ? undefined : this.latency.of(labels) };
      ofRoute.set(key, tally);
    }
    return tally;
  }

  #look(): void {
    if (this.#answers === 0) this.#quiet?.();
  }
}

const CLASSES = ['gone', '1xx', '2xx', '3xx', '4xx', '5xx'];

function classOf(status: number): string {
  return CLASSES[Math.floor(status / 100)] ?? 'other';
}

function isStream(call: ApiCall, { pattern }: CountedRoute): boolean {
  if (call.hijack !== undefined) return true;
  switch (pattern) {
    case '/events':
    case '/containers/{name}/wait':
      return true;
    case '/containers/{name}/logs':
      return queryFlag(call.query, 'follow');
    case '/containers/{name}/stats':
      return !call.query.has('stream') || queryFlag(call.query, 'stream');
    default:
      return false;
  }
}
