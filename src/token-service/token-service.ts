import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf, SwarmError, type ErrorCode } from '../base/errors.ts';
import { isHostPort } from '../base/host-port.ts';
import type { Logger } from '../base/log.ts';
import { readShortBody } from './body.ts';
import { Rate } from './rate.ts';
import type { Registrations } from './registrations.ts';

export interface TokenServiceOptions {
  registrations: Registrations;
  log: Logger;
  nowMs?: () => number;
}

/** What the classic swarm gives a registration, and so where none is said. */
const DEFAULT_TTL_S = 180;
const [TOKENS_BURST, TOKENS_PER_SECOND] = [200, 20];
const STATUS: Partial<Record<ErrorCode, number>> = {
  invalid: 400,
  'not-found': 404,
  'too-large': 413,
  unavailable: 503,
};

/**
 * The HTTP interface of the classic token service: `POST /clusters` gives a token, `POST /clusters/TOKEN?ttl=SECONDS`
 * registers the address in its body, `GET` lists, `DELETE` forgets; with and without `/v1` in front. `/_ping` says
 * whether it lives. Plain text but for the list, which is a JSON array.
 */
export function tokenService(
  options: TokenServiceOptions,
): (req: IncomingMessage, res: ServerResponse) => void {
  const { registrations, log, nowMs = () => performance.now() } = options;
  const rate = new Rate(TOKENS_BURST, TOKENS_PER_SECOND, nowMs);
  let trouble = '';

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { path, query } = targetOf(req);
    const cluster = /^(?:\/v1)?\/clusters(?:\/([^/]*))?\/?$/.exec(path);
    if (path === '/_ping') {
      if (allows(req, res, ['GET', 'HEAD'])) say(res, 200, 'OK');
      return;
    }
    if (!cluster) throw new SwarmError('not-found', 'page not found');
    res.setHeader('Swarm-Discovery-Data', registrations.dataId);
    if (cluster[1] === undefined || cluster[1] === '') {
      if (!allows(req, res, ['POST'])) return;
      if (rate.pass()) say(res, 200, randomBytes(16).toString('hex'));
      else say(res, 429, 'too many tokens at a time; try again in a second');
      return;
    }
    await answerToken(tokenOf(cluster[1]), query, req, res);
  };

  const answerToken = async (
    token: string,
    query: URLSearchParams,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> => {
    if (!allows(req, res, ['GET', 'HEAD', 'POST', 'DELETE'])) return;
    if (req.method === 'POST') {
      const ttlMs = ttlOf(query) * 1000;
      const address = addressOf(await readShortBody(req));
      registrations.register(token, address, ttlMs);
      say(res, 200, 'OK');
    } else if (req.method === 'DELETE') {
      registrations.forget(token);
      say(res, 200, 'OK');
    } else {
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify(registrations.list(token)));
    }
    if (req.method === 'POST' || req.method === 'DELETE') trouble = '';
  };

  return (req, res) => {
    answer(req, res).catch((error: unknown) => {
      const message = messageOf(error);
      const status = (error instanceof SwarmError ? STATUS[error.code] : undefined) ?? 500;
      if (status === 500 && message !== trouble) log.error({ err: message }, 'A request failed');
      if (status === 500) trouble = message;
      if (!req.complete && !res.headersSent) res.setHeader('Connection', 'close');
      say(res, status, message);
    });
  };
}

function targetOf(req: IncomingMessage): { path: string; query: URLSearchParams } {
  const target = req.url ?? '/';
  const cut = target.indexOf('?');
  if (cut === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, cut), query: new URLSearchParams(target.slice(cut + 1)) };
}

function tokenOf(text: string): string {
  if (/^[0-9a-f]{32}$/i.test(text)) return text.toLowerCase();
  throw new SwarmError('invalid', 'malformed token: a token has 32 hexadecimal digits');
}

function ttlOf(query: URLSearchParams): number {
  const text = query.get('ttl');
  if (text === null) return DEFAULT_TTL_S;
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new SwarmError('invalid', 'ttl is a number of seconds above 0');
}

function addressOf(body: string): string {
  const address = body.trim();
  if (isHostPort(address)) return address;
  throw new SwarmError('invalid', 'the body is the address of an engine: ip:port or hostname:port');
}

function allows(req: IncomingMessage, res: ServerResponse, methods: readonly string[]): boolean {
  if (methods.includes(req.method ?? '')) return true;
  res.setHeader('Allow', methods.join(', '));
  say(res, 405, `only ${methods.join(', ')} here`);
  return false;
}

function say(res: ServerResponse, status: number, text: string): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end(text);
}
