import type { ClientRequest, IncomingMessage } from 'node:http';
import type { SecureContext } from 'node:tls';
import { asObject, asString } from '../base/json.ts';
import { http, https } from '../base/node-http.ts';
import { wireWords } from '../base/wire-words.ts';
import type { StoreOptions } from '../discovery/index.ts';

const ANSWER_MS = 5_000;
const ANSWER_MAX_CHARS = 64 * 1024;

type Sight =
  | { kind: 'engine' | 'manager' | 'secret' }
  | { kind: 'silent'; why: string }
  | { kind: 'other'; what: string };

/** Looks at what answers at an advertised address. */
export class AdvertiseCheck {
  readonly #addr: string;
  readonly #tls: StoreOptions['tls'];
  #secureContext: SecureContext | undefined;

  /** `tls` are the node's own files: with them an engine that asks for a certificate can be asked too. */
  constructor(addr: string, tls: StoreOptions['tls']) {
    this.#addr = addr;
    this.#tls = tls;
  }

  /** What is wrong there, and the way out; undefined for an engine. Never rejects. */
  async warning(signal: AbortSignal): Promise<string | undefined> {
    return warningFor(await this.#look(signal), this.#addr);
  }

  async #look(signal: AbortSignal): Promise<Sight> {
    let answer: Answer;
    try {
      answer = await get(http.get(`http://${this.#addr}/version`, { agent: false, signal }));
    } catch (error) {
      return { kind: 'silent', why: wireWords(error) };
    }
    if (answer.status !== 400 || !/HTTP request to an HTTPS server/i.test(answer.text))
      return sightOf(answer);
    try {
      this.#secureContext ??= process.getBuiltinModule('node:tls').createSecureContext(this.#tls);
      // Only to see who it is: nothing is told, so it need not prove itself.
      const secure = { secureContext: this.#secureContext, rejectUnauthorized: false, agent: false };
      return sightOf(await get(https().get(`https://${this.#addr}/version`, { ...secure, signal })));
    } catch {
      return { kind: isOurs(answer.server) ? 'manager' : 'secret' };
    }
  }
}

function warningFor(sight: Sight, addr: string): string | undefined {
  const port = addr.slice(addr.lastIndexOf(':') + 1);
  switch (sight.kind) {
    case 'engine':
      return undefined;
    case 'secret':
      return '--advertise: what answers there speaks TLS and does not show itself without a certificate; if it is an engine, its managers need --tlsverify';
    case 'manager':
      return `--advertise: that is a swarm manager, not an engine: ${port} is the port of a manager, engines listen on 2375, or 2376 with TLS`;
    case 'silent':
      return `--advertise: no engine answers there: ${sight.why}; managers cannot use this node until one does ${hintFor(port)}`;
    case 'other':
      return `--advertise: something answers there, but not as an engine: ${sight.what}`;
  }
}

/** Guides advertise the port that a manager would have had on that host. */
function hintFor(port: string): string {
  return port === '2375' || port === '2376'
    ? `(dockerd -H tcp://0.0.0.0:${port})`
    : `(is ${port} the port of a manager? Engines listen on 2375, or 2376 with TLS)`;
}

interface Answer {
  status: number;
  server: string;
  text: string;
}

async function get(request: ClientRequest): Promise<Answer> {
  const late = setTimeout(() => request.destroy(new Error('no answer')), ANSWER_MS);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve);
      request.on('error', reject);
    });
    let text = '';
    response.setEncoding('utf8');
    for await (const part of response as AsyncIterable<string>) {
      text += part;
      if (text.length > ANSWER_MAX_CHARS) break;
    }
    return { status: response.statusCode ?? 0, server: asString(response.headers.server), text };
  } finally {
    clearTimeout(late);
  }
}

function sightOf({ status, server, text }: Answer): Sight {
  const said = jsonOf(text);
  const version = asString(said['Version']);
  if (isOurs(server) || version.startsWith('swarm/')) return { kind: 'manager' };
  if (status === 200 && asString(said['ApiVersion']) !== '') return { kind: 'engine' };
  return { kind: 'other', what: `GET /version gives status ${status}` };
}

function isOurs(server: string): boolean {
  return /^Skep(\/|$)/.test(server);
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}
